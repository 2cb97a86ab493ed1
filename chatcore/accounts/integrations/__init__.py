"""Looking after integrations and their keys: the actions, and the API's and the pages' doors to them."""
