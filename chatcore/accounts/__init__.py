"""Who is asking and what may they do: users, workspaces, memberships, integrations, keys, principals."""
