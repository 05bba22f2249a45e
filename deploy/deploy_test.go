// Package deploy holds no code, only what one installs Posthaste with, and the
// tests that hold it to the program: queries to the metrics that are exported,
// manifests to Kubernetes' own types, settings to config.
package deploy

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// metric is one exported metric: its labels, beside those that Prometheus adds.
type metric struct {
	labels []string
}

// foreign are metrics of others that our rules use, and with which labels.
var foreign = map[string]metric{
	"up":                          {[]string{"job", "instance"}},
	"node_filesystem_avail_bytes": {[]string{"mountpoint"}}, // node_exporter
	"node_filesystem_size_bytes":  {[]string{"mountpoint"}},
}

// exported reads the table of docs/architecture.md, which a test in cmd/posthaste
// holds equal to what a process exports, and adds the Go runtime's.
func exported(t *testing.T) map[string]metric {
	t.Helper()
	known := map[string]metric{}
	row := regexp.MustCompile("(?m)^\\| `((?:posthaste|temporal)_[a-z_]+)` \\| (counter|gauge|histogram) \\| ([a-z_, ]*?) ?\\|")
	for _, match := range row.FindAllStringSubmatch(read(t, "../docs/architecture.md"), -1) {
		labels := strings.FieldsFunc(match[3], func(r rune) bool { return r == ',' || r == ' ' })
		if match[2] != "histogram" {
			known[match[1]] = metric{labels}
			continue
		}
		for _, suffix := range []string{"_sum", "_count"} {
			known[match[1]+suffix] = metric{labels}
		}
		known[match[1]+"_bucket"] = metric{append(slices.Clone(labels), "le")}
	}
	require.Greater(t, len(known), 30)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		known[family.GetName()] = metric{}
	}
	return known
}

// shared are metrics that other programs export under the same names: whoever
// asks for them without a job hears of another team's workers, too.
var shared = regexp.MustCompile(`^(up$|temporal_|process_|go_)`)

func ofOurJob(selector *parser.VectorSelector) bool {
	return slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool {
		return m.Name == "job" && m.Type == labels.MatchEqual && m.Value == "posthaste"
	})
}

// check parses a query and fails unless each metric in it is known and selected
// by labels that it has. It returns the metrics.
func check(t *testing.T, known map[string]metric, where, query string) []string {
	t.Helper()
	query = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(query)
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err, "%s: %s", where, query)
	var names []string
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		names = append(names, selector.Name)
		found, ok := known[selector.Name]
		require.True(t, ok, "%s: nothing exports %s", where, selector.Name)
		if shared.MatchString(selector.Name) {
			require.True(t, ofOurJob(selector), `%s: %s lacks job="posthaste"`, where, selector.Name)
		}
		for _, matcher := range selector.LabelMatchers {
			require.Contains(t, append([]string{"__name__", "job", "instance"}, found.labels...), matcher.Name, "%s: %s has no such label", where, selector.Name)
		}
		for _, above := range path {
			sum, ok := above.(*parser.AggregateExpr)
			if !ok || sum.Without {
				continue
			}
			for _, label := range sum.Grouping {
				require.Contains(t, append([]string{"job", "instance"}, found.labels...), label, "%s: %s has no such label", where, selector.Name)
			}
		}
		return nil
	})
	require.NotEmpty(t, names, where)
	return names
}

func TestDashboardAsksForWhatIsExported(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			GridPos struct{ H, W, X, Y int }
			Targets []struct {
				Expr         string `json:"expr"`
				LegendFormat string `json:"legendFormat"`
			} `json:"targets"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "grafana/posthaste.json")), &dashboard))
	require.Equal(t, "posthaste", dashboard.UID)
	known, asked, ids, rows := exported(t), map[string]bool{}, map[int]bool{}, []string{}
	for _, panel := range dashboard.Panels {
		require.False(t, ids[panel.ID], "two panels have the id %d", panel.ID)
		ids[panel.ID] = true
		require.LessOrEqual(t, panel.GridPos.X+panel.GridPos.W, 24, panel.Title)
		if panel.Type == "row" {
			rows = append(rows, panel.Title)
			continue
		}
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			for _, name := range check(t, known, panel.Title, target.Expr) {
				asked[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	require.Equal(t, []string{"Overview", "Delivery", "Lanes", "Door", "Ledger", "Temporal", "Go"}, rows)
	for name := range known { // what we measure ourselves can be seen
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if strings.HasPrefix(name, "posthaste_") {
			require.True(t, asked[name], "no panel shows %s", name)
		}
	}
}

// rule is one alert.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(read(t, "prometheus/alerts.yaml")), &file, yaml.Strict()))
	var rules []rule
	for _, group := range file.Groups {
		require.NotEmpty(t, group.Rules, group.Name)
		rules = append(rules, group.Rules...)
	}
	require.Greater(t, len(rules), 15)
	return rules
}

func TestAlertsAskForWhatIsExported(t *testing.T) {
	t.Parallel()
	known := exported(t)
	for name, labels := range foreign {
		known[name] = labels
	}
	for _, rule := range alerts(t) {
		check(t, known, rule.Alert, rule.Expr)
		require.Contains(t, []string{"page", "ticket"}, rule.Labels["severity"], rule.Alert)
		require.True(t, strings.HasSuffix(rule.Annotations["summary"], "."), "%s: the summary is a sentence", rule.Alert)
		require.Equal(t, "docs/operations.md#"+strings.ToLower(rule.Alert), rule.Annotations["runbook"], rule.Alert)
	}
}

// TestEveryAlertHasARunbook holds the rules and the headings of the runbook equal.
func TestEveryAlertHasARunbook(t *testing.T) {
	t.Parallel()
	var rules, headings []string
	for _, rule := range alerts(t) {
		rules = append(rules, rule.Alert)
	}
	for _, match := range regexp.MustCompile(`(?m)^### (Posthaste[A-Z]\w+)$`).FindAllStringSubmatch(read(t, "../docs/operations.md"), -1) {
		headings = append(headings, match[1])
	}
	require.Equal(t, rules, headings, "the same rules, in the same order")
}

func TestBadQueriesAreNoticed(t *testing.T) {
	t.Parallel()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(`sum(rate(posthaste_attempts_total[5m])`)
	require.Error(t, err, "%v", parsed)
}
