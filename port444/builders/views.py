from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.csp import CSP
from django.utils.http import quote_etag
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import HtmxRequest, UserRequest, done

from . import actions, pictures
from .forms import PhotoForm, ProfileForm
from .models import Builder

SERVICES = 50
REVIEWS = 10


@require_GET
def detail(request: HtmxRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    services = builder.services.filter(status="published").select_related("category").defer("description", "questions", "search")
    moment = now()
    reviews = builder.reviews.public(moment).select_related("author", "about", "service").newest_first()
    context = {
        "builder": builder,
        "services": services.order_by("-order_count", "-pk")[:SERVICES],
        "reviews": reviews[:REVIEWS] if builder.rating_count else [],
        "is_own": builder.user_id == request.user.pk,
        "is_away": builder.is_away_at(moment),
        "moment": moment,
    }
    return render(request, "builders/detail.html", context)


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def photo(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The uploaded photo, or the portrait drawn from the slug."""
    builder = get_object_or_404(Builder.objects.visible().only("slug", "photo"), slug=slug)
    etag = quote_etag(builder.photo.name or f"{pictures.EDITION}-{builder.slug}")
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponseBase = HttpResponseNotModified()
    elif builder.photo:
        with builder.photo.open("rb") as file:  # small: it was shrunk when it was sent
            response = HttpResponse(file.read(), content_type="image/jpeg")
    else:
        response = HttpResponse(pictures.portrait(builder.slug), content_type="image/svg+xml")
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=3600"
    return response


def own(request: UserRequest) -> Builder | None:
    return Builder.objects.filter(user=request.user).select_related("user").first()


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: UserRequest) -> HttpResponse:
    builder = own(request)
    if request.method == "POST":
        form = ProfileForm(request.POST)
        if form.is_valid():
            try:
                if builder is None:
                    actions.create_builder(request.user, actor=request.user, **form.profile())
                    return done(request, reverse("catalog:create"), "Your profile is open. Now describe what you sell.")
                actions.change_builder(builder.pk, actor=request.user, **form.profile())
                return done(request, reverse("builders:edit"), "Saved.")
            except Invalid as error:
                form.add_error(None, error.message)
        return render(request, "builders/edit.html", {"form": form, "photo_form": PhotoForm(), "builder": builder}, status=422)
    form = ProfileForm.of(builder) if builder else ProfileForm()
    return render(request, "builders/edit.html", {"form": form, "photo_form": PhotoForm(), "builder": builder})


@login_required
@require_POST
def put_photo(request: UserRequest) -> HttpResponse:
    builder = own(request)
    if builder is None:
        raise Conflict("Open your profile first.", code="no_profile")
    if "remove" in request.POST:
        actions.remove_photo(builder.pk, actor=request.user)
        return done(request, reverse("builders:edit"), "The drawn portrait is back.")
    form = PhotoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            actions.change_photo(builder.pk, actor=request.user, upload=form.cleaned_data["photo"])
            return done(request, reverse("builders:edit"), "Your photo is up.")
        except Invalid as error:
            form.add_error("photo", error.message)
    return render(request, "builders/edit.html", {"form": ProfileForm.of(builder), "photo_form": form, "builder": builder}, status=422)
