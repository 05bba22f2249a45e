package deploy

import (
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// scrapeConfig is what our examples use of Prometheus' configuration.
type scrapeConfig struct {
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		Interval      string `yaml:"scrape_interval"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
		KubernetesConfigs []struct {
			Role       string `yaml:"role"`
			Namespaces struct {
				Names []string `yaml:"names"`
			} `yaml:"namespaces"`
		} `yaml:"kubernetes_sd_configs"`
		RelabelConfigs []*relabel.Config `yaml:"relabel_configs"`
	} `yaml:"scrape_configs"`
	RuleFiles []string `yaml:"rule_files"`
}

// utf8Names is which names of labels Prometheus takes unless told otherwise.
const utf8Names = 2

// TestScrapeExamplesFindThePods holds the examples of docs/operations.md to the
// job that alerts and dashboard ask for, and to the labels and ports of the pods:
// those that serve metrics are found, once each, and the migration is not.
func TestScrapeExamplesFindThePods(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(scrape_configs:.*?)```").FindAllStringSubmatch(read(t, "../docs/operations.md"), -1)
	require.Len(t, blocks, 2)
	kept := map[string]int{}
	for _, block := range blocks {
		var config scrapeConfig
		require.NoError(t, yaml.UnmarshalWithOptions([]byte(block[1]), &config, yaml.Strict()))
		require.Len(t, config.ScrapeConfigs, 1)
		job := config.ScrapeConfigs[0]
		require.Contains(t, read(t, "prometheus/alerts.yaml"), `job="`+job.JobName+`"`)
		if len(job.KubernetesConfigs) == 0 {
			require.NotEmpty(t, job.StaticConfigs)
			continue
		}
		for _, rule := range job.RelabelConfigs {
			require.NoError(t, rule.Validate(utf8Names))
		}
		for component, pod := range pods(t) {
			ports := pod.Spec.Containers[0].Ports
			if len(ports) == 0 {
				ports = []corev1.ContainerPort{{}} // Prometheus finds such a pod, too
			}
			for _, port := range ports {
				target := labels.NewBuilder(labels.FromStrings(
					"__meta_kubernetes_pod_name", component+"-1",
					"__meta_kubernetes_pod_container_port_name", port.Name,
					"__meta_kubernetes_pod_label_app_kubernetes_io_name", pod.Labels["app.kubernetes.io/name"],
					"__meta_kubernetes_pod_label_app_kubernetes_io_component", pod.Labels["app.kubernetes.io/component"],
				))
				if relabel.ProcessBuilder(target, job.RelabelConfigs...) {
					kept[target.Get("instance")]++
				}
			}
		}
	}
	require.Equal(t, map[string]int{"api-1": 1, "worker-1": 1}, kept)
}
