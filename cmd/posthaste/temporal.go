package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"posthaste/codec"
	"posthaste/config"
	"posthaste/workflows"
)

// temporalDial bounds how long a command looks for Temporal before it says
// that it is not there.
const temporalDial = 15 * time.Second

// dialTemporal connects to Temporal, and says in one sentence why it cannot. A
// client that was dialled, other than a lazy one, can start workflows eagerly.
// With a sealer, all that it gives to Temporal is sealed; without one it is for
// looking after the namespace, not for workflows. Watch adds what measures and
// traces it.
func dialTemporal(ctx context.Context, settings config.Temporal, sealer codec.Sealer, logger *slog.Logger, watch ...func(*client.Options)) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, temporalDial)
	defer cancel()
	options := client.Options{
		HostPort:  settings.TemporalAddress,
		Namespace: settings.TemporalNamespace,
		Logger:    sdklog.NewStructuredLogger(logger),

		ConnectionOptions: temporalConnection(),
	}
	if sealer != nil {
		options.DataConverter, options.FailureConverter = codec.DataConverter(sealer), codec.FailureConverter(sealer)
	}
	for _, apply := range watch {
		apply(&options)
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, failed(err, "Temporal does not answer at %s: start it, or correct --temporal-address (POSTHASTE_TEMPORAL_ADDRESS)", settings.TemporalAddress)
	}
	if err := checkNamespace(ctx, c, settings.TemporalNamespace); err != nil {
		c.Close()
		var absent *serviceerror.NamespaceNotFound
		if errors.As(err, &absent) {
			return nil, failed(err, "Temporal at %s has no namespace %q: create it with `temporal operator namespace create -n %s`, or correct --temporal-namespace", settings.TemporalAddress, settings.TemporalNamespace, settings.TemporalNamespace)
		}
		return nil, failed(err, "Temporal at %s does not answer for its namespace %q: %v", settings.TemporalAddress, settings.TemporalNamespace, err)
	}
	return c, nil
}

func checkNamespace(ctx context.Context, c client.Client, namespace string) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	return err
}

// missingAttributes returns the search attributes that Temporal does not know
// yet. One of another type is an error: Temporal cannot change it.
func missingAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list Temporal's search attributes: %w", err)
	}
	var missing []string
	for _, name := range workflows.SearchAttributes() {
		kind, ok := known.GetCustomAttributes()[name]
		switch {
		case !ok:
			missing = append(missing, name)
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			return nil, failed(nil, "Temporal's search attribute %s is a %s and must be a Keyword: remove it with `temporal operator search-attribute remove --name %s`", name, kind, name)
		}
	}
	return missing, nil
}

// addAttributes registers the missing search attributes and returns their
// names. Run again, it adds nothing.
func addAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	missing, err := missingAttributes(ctx, c, namespace)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	attributes := make(map[string]enumspb.IndexedValueType, len(missing))
	for _, name := range missing {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: attributes,
	})
	var exists *serviceerror.AlreadyExists // another migrate was faster
	if err != nil && !errors.As(err, &exists) {
		return nil, failed(err, "Temporal's search attributes %s could not be added: %v", strings.Join(missing, ", "), err)
	}
	return missing, nil
}

// quietLogger drops what the SDK logs while a server is not up yet.
type quietLogger struct{}

func (quietLogger) Debug(string, ...any) {}
func (quietLogger) Info(string, ...any)  {}
func (quietLogger) Warn(string, ...any)  {}
func (quietLogger) Error(string, ...any) {}
