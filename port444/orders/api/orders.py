"""The API of orders, from placing to the end."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router
from ninja.files import UploadedFile
from ninja.responses import Status
from pydantic import Field

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.catalog.models import Package, Service
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Moment, Paging, also, answers, page, tagged, unless_changed
from port444.orders import actions, queries
from port444.orders.models import Delivery, Order, OrderStatus
from port444.orders.schemas import (
    AgainOut,
    AnswersIn,
    AskMoreIn,
    CancelIn,
    CancelledOut,
    CancelQuoteOut,
    DeliveriesOut,
    DeliveryOut,
    FundsOut,
    NoteForm,
    NoteIn,
    OrderOut,
    OrderRow,
    OrdersOut,
    PlaceIn,
    QuestionsOut,
    again_out,
    cancel_quote_out,
    cancelled_out,
    delivery_out,
    funds_out,
    order_out,
    order_row,
    questions_out,
)

router = Router(tags=["Orders"])


class OrderPaging(Paging):
    status: OrderStatus | None = None
    as_: str | None = Field(None, alias="as", pattern="^(client|builder)$", examples=["client"], description="Those in which you are that")
    placed_from: Moment | None = None
    placed_to: Moment | None = None


def order_of(request: UserRequest, order_id: UUID) -> Order:
    return get_object_or_404(Order.objects.visible_to(request.user).with_people(), pk=order_id)


@router.get("/orders", response=answers(200, OrdersOut), auth=may(), summary="Your orders")
def list_orders(request: UserRequest, paging: Query[OrderPaging]) -> HttpResponse:
    rows = Order.objects.visible_to(request.user).with_people()
    if paging.status:
        rows = rows.filter(status=paging.status)
    if paging.as_:
        rows = rows.filter(client=request.user) if paging.as_ == "client" else rows.filter(builder__user=request.user)
    if paging.placed_from:
        rows = rows.filter(placed_at__gte=paging.placed_from)
    if paging.placed_to:
        rows = rows.filter(placed_at__lt=paging.placed_to)
    return page(request, paging, rows, OrderRow, order_row)


@router.get("/orders/{uuid:order_id}", response=answers(200, OrderOut), auth=may(), summary="An order")
def get_order(request: UserRequest, response: HttpResponse, order_id: UUID) -> OrderOut:
    order = order_of(request, order_id)
    tagged(response, order)
    return order_out(order, request.user)


@router.post("/orders", response=answers(201, OrderOut), auth=may(Scope.ORDERS), openapi_extra=also(KEY), summary="Order a package")
@once
def place_order(request: UserRequest, body: PlaceIn) -> Status[OrderOut]:
    """The terms are copied and an invoice waits to be paid until `pay_until`."""
    package = get_object_or_404(Package.objects.filter(service__in=Service.objects.visible_to(request.user)), pk=body.package_id)
    order = actions.place_order(package.pk, actor=request.user, client_key=client_key(request), like=body.like)
    return Status(201, order_out(order, request.user))


@router.get("/orders/{uuid:order_id}/again", response=answers(200, AgainOut), auth=may(), summary="What ordering again would be")
def get_order_again(request: UserRequest, order_id: UUID) -> AgainOut:
    """For the client of a completed order: what has changed since. Order `package_id` with `like` to begin with the same answers."""
    rows = Order.objects.filter(client=request.user, status=OrderStatus.COMPLETED).with_people().select_related("service", "package")
    return again_out(queries.reorder.reorder_of(get_object_or_404(rows, pk=order_id), now()))


@router.post(
    "/orders/{uuid:order_id}/accept",
    response=answers(200, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Accept what was delivered",
)
@once
def accept_delivery(request: UserRequest, order_id: UUID) -> Status[OrderOut]:
    """Ends the order and pays the builder out of escrow."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        order = actions.accept_delivery(order.pk, actor=request.user)
    return Status(200, order_out(order, request.user))


@router.get("/orders/{uuid:order_id}/funds", response=answers(200, FundsOut), auth=may(), summary="Where the money of an order is")
def get_order_funds(request: UserRequest, order_id: UUID) -> FundsOut:
    return funds_out(queries.purse(order_of(request, order_id)))


# Answers


def _questions(request: UserRequest, order: Order) -> QuestionsOut:
    return questions_out(order, queries.requirements_of(order), request.user)


def _known(order: Order, body: AnswersIn) -> dict[int, str]:
    """The answers, all of them to questions that there are."""
    if unknown := body.answers.keys() - {row.position for row in order.requirements.all()}:
        raise Invalid(f"There is no question {min(unknown)}.", code="answer_position")
    return dict(body.answers)


@router.get("/orders/{uuid:order_id}/requirements", response=answers(200, QuestionsOut), auth=may(), summary="Questions of an order")
def get_requirements(request: UserRequest, order_id: UUID) -> QuestionsOut:
    """The builder's questions and the client's answers."""
    return _questions(request, order_of(request, order_id))


@router.put(
    "/orders/{uuid:order_id}/requirements",
    response=answers(200, QuestionsOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Keep answers without sending them",
)
def save_requirements(request: UserRequest, order_id: UUID, body: AnswersIn) -> QuestionsOut:
    """What is named is written; the rest stays. No clock starts."""
    order = order_of(request, order_id)
    order.require_client(request.user)
    with unless_changed(request, order):
        actions.save_answers(order.pk, actor=request.user, answers=_known(order, body))
    return _questions(request, order)


@router.post(
    "/orders/{uuid:order_id}/requirements/{int:position}/files",
    response=answers(201, QuestionsOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Add files to an answer",
)
@once
def add_requirement_files(request: UserRequest, order_id: UUID, position: int, uploads: File[list[UploadedFile]]) -> Status[QuestionsOut]:
    """Sent as `multipart/form-data`. They are kept, and sent with the answers."""
    order = order_of(request, order_id)
    order.require_client(request.user)
    if position > 1000 or not order.requirements.filter(position=position).exists():
        raise Http404
    actions.save_answers(order.pk, actor=request.user, answers={}, uploads={position: uploads})
    return Status(201, _questions(request, order))


@router.post(
    "/orders/{uuid:order_id}/requirements/more",
    response=answers(200, QuestionsOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Ask for what is missing",
)
def ask_more(request: UserRequest, order_id: UUID, body: AskMoreIn) -> QuestionsOut:
    """For the builder in the work, once in an order. The clock stands until they are answered."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        actions.ask_more(order.pk, actor=request.user, questions=body.questions)
    return _questions(request, order_of(request, order_id))


@router.post(
    "/orders/{uuid:order_id}/requirements/go-on",
    response=answers(200, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Go on without the answers",
)
def go_on_without_answers(request: UserRequest, order_id: UUID) -> OrderOut:
    """For the builder who asked in the work. The clock runs again."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        order = actions.go_on_without(order.pk, actor=request.user)
    return order_out(order, request.user)


@router.post(
    "/orders/{uuid:order_id}/answer",
    response=answers(200, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Send the answers",
)
def answer_requirements(request: UserRequest, order_id: UUID, body: AnswersIn) -> OrderOut:
    """With those that were kept before. The builder's clock starts."""
    order = order_of(request, order_id)
    order.require_client(request.user)
    with unless_changed(request, order):
        order = actions.answer_requirements(order.pk, actor=request.user, answers=_known(order, body))
    return order_out(order, request.user)


# The work


def _deliveries(order: Order) -> list[DeliveryOut]:
    rows = Delivery.objects.filter(order=order).select_related("revision").prefetch_related("files").order_by("number")
    return [delivery_out(row) for row in rows]


@router.get("/orders/{uuid:order_id}/deliveries", response=answers(200, DeliveriesOut), auth=may(), summary="What was delivered")
def list_deliveries(request: UserRequest, order_id: UUID) -> DeliveriesOut:
    """With what was asked to be different. There is one for each revision and one more."""
    return DeliveriesOut(items=_deliveries(order_of(request, order_id)))


@router.post(
    "/orders/{uuid:order_id}/deliver", response=answers(201, DeliveryOut), auth=may(Scope.ORDERS), openapi_extra=also(IF_MATCH), summary="Deliver"
)
def deliver(request: UserRequest, order_id: UUID, body: NoteIn) -> Status[DeliveryOut]:
    """For the builder: words. The client's time to review starts."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        actions.deliver(order.pk, actor=request.user, note=body.note)
    return Status(201, _deliveries(order)[-1])


@router.post(
    "/orders/{uuid:order_id}/deliver/files",
    response=answers(201, DeliveryOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY),
    summary="Deliver with files",
)
@once
def deliver_files(request: UserRequest, order_id: UUID, uploads: File[list[UploadedFile]], form: Form[NoteForm]) -> Status[DeliveryOut]:
    """For the builder: files and words, sent as `multipart/form-data`. The client's time to review starts."""
    order = order_of(request, order_id)
    actions.deliver(order.pk, actor=request.user, note=form.note, uploads=uploads)
    return Status(201, _deliveries(order)[-1])


@router.post(
    "/orders/{uuid:order_id}/request-revision",
    response=answers(200, OrderOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(IF_MATCH),
    summary="Ask for changes to what was delivered",
)
def request_revision(request: UserRequest, order_id: UUID, body: NoteIn) -> OrderOut:
    """For the client, as long as the package has revisions left."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        actions.request_revision(order.pk, actor=request.user, note=body.note)
    return order_out(order_of(request, order_id), request.user)


# The end


@router.get("/orders/{uuid:order_id}/cancel", response=answers(200, CancelQuoteOut), auth=may(), summary="What cancelling would do")
def quote_cancel(request: UserRequest, order_id: UUID) -> CancelQuoteOut:
    """Whether you may cancel the order as it stands, and what comes back then."""
    order = order_of(request, order_id)
    return cancel_quote_out(order, order.may_cancel(request.user, now()))


@router.post(
    "/orders/{uuid:order_id}/cancel",
    response=answers(200, CancelledOut),
    auth=may(Scope.ORDERS),
    openapi_extra=also(KEY, IF_MATCH),
    summary="Cancel an order",
)
@once
def cancel_order(request: UserRequest, order_id: UUID, body: CancelIn) -> Status[CancelledOut]:
    """What was paid goes back whole, service fee and credits included."""
    order = order_of(request, order_id)
    with unless_changed(request, order):
        actions.cancel_order(order.pk, actor=request.user, reason=body.reason)
    return Status(200, cancelled_out(order_of(request, order_id), request.user))
