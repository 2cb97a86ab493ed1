"""Addresses of the web pages."""

from django.urls import URLPattern, URLResolver, include, path

from conversations import views
from conversations.pages import changes, offline, parameters, replies

MESSAGE = [
    path("", views.message, name="message"),
    path("text/", views.message_text, name="message_text"),
    path("edit/", replies.edit, name="edit_message"),
    path("regenerate/", replies.regenerate, name="regenerate_reply"),
    path("retry/", replies.retry, name="retry_reply"),
    path("continue/", replies.continue_, name="continue_reply"),
    path("stop/", replies.stop, name="stop_reply"),
    path("choose/", replies.choose, name="choose_reply"),
    path("branch/", replies.branch, name="choose_branch"),
    path("delete/", replies.delete, name="delete_message"),
]

CONVERSATION: list[URLPattern | URLResolver] = [
    path("", views.chat, name="chat"),
    path("bar/", views.bar, name="chat_bar"),
    path("row/", views.row, name="conversation_row"),
    path("options/", views.options, name="conversation_options"),
    path("messages/", views.messages, name="messages"),
    path("messages/<uuid:message_id>/", include(MESSAGE)),
    path("rename/", changes.rename, name="rename_conversation"),
    path("pin/", changes.pin, name="pin"),
    path("unpin/", changes.unpin, name="unpin"),
    path("archive/", changes.archive, name="archive"),
    path("unarchive/", changes.unarchive, name="unarchive"),
    path("model/", changes.choose_model, name="choose_model"),
    path("parameters/", parameters.parameters, name="parameters"),
    path("parameters/mark/", parameters.mark, name="parameters_mark"),
    path("delete/", changes.delete, name="delete_conversation"),
]

urlpatterns = [
    path("sw.js", offline.worker, name="service_worker"),
    path("offline/", offline.offline, name="offline"),
    path("", views.new, name="new"),
    path("parameters/", parameters.new_parameters, name="new_parameters"),
    path("parameters/mark/", parameters.new_mark, name="new_parameters_mark"),
    path("conversations/", views.conversations, name="conversations"),
    path("archived/", views.archived, name="archived"),
    path("c/<uuid:conversation_id>/", include(CONVERSATION)),
]
