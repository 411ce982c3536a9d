from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.csp import CSP
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.kit import cards
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.http import HtmxRequest, UserRequest, done

from . import actions, pictures
from .forms import PhotoForm, PictureForm, PieceForm, ProfileForm
from .models import Builder, PortfolioPicture, PortfolioPiece
from .publicity import card_of, public_builder

SERVICES = 50
REVIEWS = 10


@require_GET
def detail(request: HtmxRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    services = builder.services.filter(status="published").select_related("category").defer("description", "questions")
    moment = now()
    reviews = builder.reviews.public(moment).select_related("author", "about", "service").newest_first()
    pieces = builder.portfolio.prefetch_related("pictures")
    context = {
        "public": public_builder(builder),
        "pieces": pieces,
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


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def picture(request: HttpRequest, slug: str, pk: UUID) -> HttpResponseBase:
    """A picture of a public portfolio. It never changes: another one has another address."""
    row = get_object_or_404(PortfolioPicture, pk=pk, piece__builder__in=Builder.objects.visible().filter(slug=slug))
    etag = quote_etag(row.pk.hex)
    if request.headers.get("If-None-Match") == etag:
        response: HttpResponseBase = HttpResponseNotModified()
    else:
        with row.file.open("rb") as file:  # small: it was drawn anew when it was sent
            response = HttpResponse(file.read(), content_type="image/jpeg")
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=3600"
    return response


@require_GET
@csp_override({"default-src": [CSP.NONE]})
def card(request: HttpRequest, slug: str) -> HttpResponse:
    """The picture that other sites show beside a link to the profile."""
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    return cards.answer(request, f"builders/{builder.pk}", card_of(builder))


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
                    return done(request, reverse("catalog:create"), _("Your profile is open. Now describe what you sell."))
                actions.change_builder(builder.pk, actor=request.user, **form.profile())
                return done(request, reverse("builders:edit"), _("Saved."))
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
        raise Conflict(_("Open your profile first."), code="no_profile")
    if "remove" in request.POST:
        actions.remove_photo(builder.pk, actor=request.user)
        return done(request, reverse("builders:edit"), _("The drawn portrait is back."))
    form = PhotoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            actions.change_photo(builder.pk, actor=request.user, upload=form.cleaned_data["photo"])
            return done(request, reverse("builders:edit"), _("Your photo is up."))
        except Invalid as error:
            form.add_error("photo", error.message)
    return render(request, "builders/edit.html", {"form": ProfileForm.of(builder), "photo_form": form, "builder": builder}, status=422)


# Portfolio


@login_required
@require_http_methods(["GET", "POST"])
def portfolio(request: UserRequest) -> HttpResponse:
    """All pieces in their order, and a form for another one."""
    builder = own(request)
    if builder is None:
        return done(request, reverse("builders:edit"), _("First say who you are; then show what you have made."))
    form = PieceForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            row = actions.add_piece(builder.pk, actor=request.user, **form.text())
            return done(request, reverse("builders:piece", args=[row.pk]), _("Added. Now put pictures to it."))
        except Invalid as error:
            form.add_error(None, error.message)
    pieces = list(builder.portfolio.prefetch_related("pictures"))
    context = {"builder": builder, "pieces": pieces, "form": form, "is_full": len(pieces) >= actions.MOST_PIECES, "most": actions.MOST_PIECES}
    return render(request, "builders/portfolio.html", context, status=422 if form.errors else 200)


def own_piece(request: UserRequest, pk: UUID) -> PortfolioPiece:
    return get_object_or_404(PortfolioPiece.objects.select_related("builder__user"), pk=pk, builder__user=request.user)


@login_required
@require_http_methods(["GET", "POST"])
def piece(request: UserRequest, pk: UUID) -> HttpResponse:
    row = own_piece(request, pk)
    form = PieceForm(request.POST) if request.method == "POST" else PieceForm.of(row)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_piece(row.pk, actor=request.user, **form.text())
            return done(request, reverse("builders:piece", args=[row.pk]), _("Saved."))
        except Invalid as error:
            form.add_error(None, error.message)
    return piece_page(request, row, form, PictureForm())


def piece_page(request: UserRequest, row: PortfolioPiece, form: PieceForm, picture_form: PictureForm) -> HttpResponse:
    pictures = list(row.pictures.all())
    context = {"piece": row, "builder": row.builder, "pictures": pictures, "form": form, "picture_form": picture_form}
    context["is_full"] = len(pictures) >= actions.MOST_PICTURES
    return render(request, "builders/piece.html", context, status=422 if form.errors or picture_form.errors else 200)


@login_required
@require_POST
def put_picture(request: UserRequest, pk: UUID) -> HttpResponse:
    row = own_piece(request, pk)
    form = PictureForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            actions.add_picture(row.pk, actor=request.user, upload=form.cleaned_data["picture"])
            return done(request, reverse("builders:piece", args=[row.pk]), _("The picture is up."))
        except Invalid as error:
            form.add_error("picture", error.message)
    return piece_page(request, row, PieceForm.of(row), form)


@login_required
@require_POST
def move_piece(request: UserRequest, pk: UUID) -> HttpResponse:
    actions.move_piece(own_piece(request, pk).pk, actor=request.user, up="up" in request.POST)
    return done(request, reverse("builders:portfolio"))


@login_required
@require_POST
def remove_piece(request: UserRequest, pk: UUID) -> HttpResponse:
    actions.remove_piece(own_piece(request, pk).pk, actor=request.user)
    return done(request, reverse("builders:portfolio"), _("Taken away."))


@login_required
@require_POST
def remove_picture(request: UserRequest, pk: UUID) -> HttpResponse:
    row = get_object_or_404(PortfolioPicture, pk=pk, piece__builder__user=request.user)
    actions.remove_picture(row.pk, actor=request.user)
    return done(request, reverse("builders:piece", args=[row.piece_id]), _("Taken away."))
