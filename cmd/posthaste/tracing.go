package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

// traceGrace is how long a process that stops tries to hand over its last spans.
const traceGrace = 5 * time.Second

// tracing makes spans and hands them to a collector. The zero value, of a process
// without POSTHASTE_OTLP_ENDPOINT, makes none and costs nothing.
type tracing struct {
	tracer   trace.Tracer // nil when there are no traces
	temporal []interceptor.ClientInterceptor
	provider *sdktrace.TracerProvider
}

// newTracing connects lazily: a collector that is away loses spans and nothing
// else. The variables OTEL_* of the OpenTelemetry SDK hold beside ours, for
// sampling, resource attributes and headers of the exporter.
func newTracing(ctx context.Context, endpoint string, as role, logger *slog.Logger) (tracing, error) {
	if endpoint == "" {
		return tracing{}, nil
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		return tracing{}, fmt.Errorf("POSTHASTE_OTLP_ENDPOINT: %w", err)
	}
	if strings.Trim(target.Path, "/") == "" {
		target.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target.String()))
	if err != nil {
		return tracing{}, fmt.Errorf("export traces to POSTHASTE_OTLP_ENDPOINT: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "posthaste"),
		attribute.String("service.version", currentVersion()),
		attribute.String("posthaste.role", string(as)),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return tracing{}, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("spans are lost", "error", err) }))
	t := tracing{provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}
	t.tracer = t.provider.Tracer("posthaste")
	// What it writes into Temporal is the header traceparent and no baggage: the
	// header is not sealed, and baggage is whatever a caller likes.
	throughTemporal, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: t.tracer, TextMapPropagator: propagation.TraceContext{}, DisableBaggage: true,
		AllowInvalidParentSpans: true, DisableQueryTracing: true,
	})
	if err != nil {
		return tracing{}, fmt.Errorf("trace workflows: %w", err)
	}
	t.temporal = []interceptor.ClientInterceptor{throughTemporal}
	return t, nil
}

// stop hands over the spans that are left. Spans that a collector does not take
// are lost; that is no reason to fail.
func (t tracing) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), traceGrace)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// tracedLines puts the trace's id into each line of a log that belongs to one.
type tracedLines struct{ slog.Handler }

// Handle adds the ids.
func (h tracedLines) Handle(ctx context.Context, line slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		line.AddAttrs(slog.String("traceId", span.TraceID().String()), slog.String("spanId", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, line)
}

// WithAttrs keeps the ids coming.
func (h tracedLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLines{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the ids coming.
func (h tracedLines) WithGroup(name string) slog.Handler {
	return tracedLines{h.Handler.WithGroup(name)}
}
