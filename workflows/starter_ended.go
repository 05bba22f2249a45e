package workflows

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// Ended reports whether nobody goes on with what a workflow had: it has ended,
// by force or by itself, or Temporal does not know it. While Temporal does not
// answer nobody can tell, and the error is errs.Unavailable.
func (s *Starter) Ended(ctx context.Context, workflowID string) (bool, error) {
	var described *workflowservice.DescribeWorkflowExecutionResponse
	err := s.outage.call(ctx, func(ctx context.Context) (err error) {
		described, err = s.client.DescribeWorkflowExecution(ctx, workflowID, "")
		return err
	})
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return true, nil
	}
	if err != nil {
		return false, s.unavailable(err, "The delivery could not be retried")
	}
	return closed(described.GetWorkflowExecutionInfo().GetStatus()), nil
}

// closed reports whether a run has ended and no other has its id. What a later
// server may call a status counts as open: then nothing is given up.
func closed(status enumspb.WorkflowExecutionStatus) bool {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return true
	default:
		return false
	}
}
