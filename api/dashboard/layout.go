package dashboard

// entry is one line of the navigation.
type entry struct{ Label, Path string }

// navigation lists the groups of pages, in the order in which they are shown. A
// page names the entry that it belongs to (page.Nav).
var navigation = []entry{
	{"Overview", "/"},
	{"Webhooks", "/webhooks"},
	{"Events", "/events"},
	{"Catalogue", "/catalogue"},
}

// tab is one view of a thing: its path is under the thing's own.
type tab struct{ Label, Path string }

// webhookTabs lists the views of one webhook.
var webhookTabs = []tab{
	{"Overview", ""},
	{"Delivery log", "/attempts"},
	{"Waiting", "/deliveries"},
	{"Charts", "/charts"},
	{"Replays", "/replays"},
	{"Audit log", "/audit"},
}

// identityLabel names who is signed in, beside their tenant.
func (v viewer) identityLabel() string {
	switch {
	case v.Key != "":
		return "API key"
	case v.Subject != "":
		return v.Subject
	default:
		return "token"
	}
}
