package dashboard

// workflowFor returns where Temporal Web UI shows a workflow; "" where there is
// none, and for everybody but operators: that address is internal, and what a
// workflow holds is read with a token of scope admin alone.
func (d *Dashboard) workflowFor(who viewer, workflowID string) string {
	if d.WorkflowLink == nil || !who.Admin {
		return ""
	}
	if link := d.WorkflowLink(workflowID); link != nil {
		return *link
	}
	return ""
}
