package activities

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"posthaste/webhook"
	"posthaste/webhook/send"
)

// traced sends the request within a span of its own, where traces are on. The
// span names the receiver by host and port alone: paths and queries of webhooks
// hold secrets.
func (a *Activities) traced(ctx context.Context, t *try, request *send.Request) send.Result {
	if a.tracer == nil {
		return a.sender.Send(ctx, *request)
	}
	ctx, span := a.tracer.Start(ctx, "POST", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", "POST"),
		attribute.String("server.address", t.due.Delivery.Host),
		attribute.String("posthaste.tenant", t.due.Delivery.Tenant),
		attribute.String("posthaste.provider", t.due.Webhook.Provider),
		attribute.String("posthaste.event", t.due.Delivery.EventID),
		attribute.String("posthaste.webhook", t.due.Webhook.ID),
		attribute.String("posthaste.delivery", t.due.Delivery.ID),
		attribute.Int("posthaste.attempt", t.due.Delivery.Attempts+1),
		attribute.String("posthaste.lane", string(t.lane)),
	))
	defer span.End()
	if a.propagate {
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		setHeader(request, "traceparent", carrier["traceparent"])
	}
	result := a.sender.Send(ctx, *request)
	span.SetAttributes(attribute.String("posthaste.outcome", string(result.Outcome.Kind)))
	if status := result.Outcome.StatusCode; status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if result.Outcome.Kind != webhook.Delivered {
		reason := string(result.Outcome.Reason)
		span.SetAttributes(attribute.String("error.type", reason))
		span.SetStatus(codes.Error, reason)
	}
	return result
}

// setHeader sets a header of the request, in place of one that the webhook has
// under this name. The list may be shared, so it is copied.
func setHeader(request *send.Request, name, value string) {
	if value == "" {
		return
	}
	headers := slices.DeleteFunc(slices.Clone(request.Header), func(h send.Header) bool { return strings.EqualFold(h.Name, name) })
	request.Header = append(headers, send.Header{Name: name, Value: value})
}
