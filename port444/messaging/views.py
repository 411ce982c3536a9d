from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from port444.kit.http import UserRequest

from .models import Attachment, Conversation


@login_required
@require_GET
def inbox(request: UserRequest) -> HttpResponse:
    return HttpResponse()


@login_required
def start(request: UserRequest, slug: str) -> HttpResponse:
    return HttpResponse()


@login_required
def thread(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    get_object_or_404(Conversation.objects.visible_to(request.user), pk=conversation_id)
    return HttpResponse()


@login_required
@require_GET
def poll(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    return HttpResponse()


@login_required
@require_GET
def attachment(request: UserRequest, attachment_id: UUID) -> HttpResponseBase:
    """Hand out a file, as a download only: nothing that a person sent is ever shown as a page of this site."""
    file = get_object_or_404(Attachment.objects.visible_to(request.user), pk=attachment_id)
    try:
        content = file.file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(content, as_attachment=True, filename=file.name, content_type=file.mimetype)
    response["Content-Length"] = str(file.size)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    return response
