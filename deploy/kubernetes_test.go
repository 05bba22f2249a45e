package deploy

import (
	"bufio"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"

	"posthaste/config"
)

// manifests decodes every document as strictly as kubectl does: an unknown or
// repeated member is an error.
func manifests(t *testing.T) map[string]runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		require.NoError(t, add(scheme))
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	files, err := filepath.Glob("kubernetes/*.yaml")
	require.NoError(t, err)
	found := map[string]runtime.Object{}
	for _, file := range files {
		documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(read(t, file))))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			object, kind, err := decoder.Decode(document, nil, nil)
			require.NoError(t, err, "%s:\n%s", file, document)
			name := kind.Kind + " " + object.(interface{ GetName() string }).GetName()
			require.NotContains(t, found, name)
			found[name] = object
		}
	}
	return found
}

// pods are the templates of what runs, by component.
func pods(t *testing.T) map[string]corev1.PodTemplateSpec {
	t.Helper()
	all := manifests(t)
	return map[string]corev1.PodTemplateSpec{
		"migrate": all["Job posthaste-migrate"].(*batchv1.Job).Spec.Template,
		"api":     all["Deployment posthaste-api"].(*appsv1.Deployment).Spec.Template,
		"worker":  all["Deployment posthaste-worker"].(*appsv1.Deployment).Spec.Template,
	}
}

func TestManifestsAreWhatKubernetesTakes(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	for _, name := range []string{
		"ConfigMap posthaste", "Job posthaste-migrate", "Deployment posthaste-api", "Deployment posthaste-worker", "Service posthaste",
		"PodDisruptionBudget posthaste-api", "PodDisruptionBudget posthaste-worker", "HorizontalPodAutoscaler posthaste-worker",
		"NetworkPolicy posthaste", "NetworkPolicy posthaste-api", "NetworkPolicy posthaste-worker",
	} {
		require.Contains(t, all, name)
	}
	require.Len(t, all, 11)
	templates := pods(t)
	for component, workload := range map[string]*appsv1.Deployment{
		"api": all["Deployment posthaste-api"].(*appsv1.Deployment), "worker": all["Deployment posthaste-worker"].(*appsv1.Deployment),
	} {
		own := labels.Set(templates[component].Labels)
		require.True(t, labels.SelectorFromSet(workload.Spec.Selector.MatchLabels).Matches(own))
		budget := all["PodDisruptionBudget posthaste-"+component].(*policyv1.PodDisruptionBudget)
		require.True(t, labels.SelectorFromSet(budget.Spec.Selector.MatchLabels).Matches(own))
		require.Equal(t, intstr.FromInt32(1), *budget.Spec.MaxUnavailable)
		policy := all["NetworkPolicy posthaste-"+component].(*networkingv1.NetworkPolicy)
		require.True(t, labels.SelectorFromSet(policy.Spec.PodSelector.MatchLabels).Matches(own))
	}
	service := all["Service posthaste"].(*corev1.Service)
	require.True(t, labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(templates["api"].Labels)))
	require.False(t, labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(templates["worker"].Labels)))
	require.Equal(t, "http", service.Spec.Ports[0].TargetPort.String())
	scaler := all["HorizontalPodAutoscaler posthaste-worker"].(*autoscalingv2.HorizontalPodAutoscaler)
	require.Equal(t, "posthaste-worker", scaler.Spec.ScaleTargetRef.Name)
	require.Equal(t, autoscalingv2.ExternalMetricSourceType, scaler.Spec.Metrics[0].Type)
	require.Nil(t, all["Deployment posthaste-worker"].(*appsv1.Deployment).Spec.Replicas, "the autoscaler decides")
}

func TestPodsMayDoLittle(t *testing.T) {
	t.Parallel()
	for component, template := range pods(t) {
		pod := template.Spec
		require.False(t, *pod.AutomountServiceAccountToken, component)
		require.False(t, *pod.EnableServiceLinks, "%s: a Service posthaste would set POSTHASTE_PORT", component)
		require.True(t, *pod.SecurityContext.RunAsNonRoot, component)
		require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type, component)
		require.Len(t, pod.Containers, 1, component)
		container := pod.Containers[0]
		require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, component)
		require.False(t, *container.SecurityContext.AllowPrivilegeEscalation, component)
		require.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, component)
		require.Regexp(t, `^registry\.example\.com/posthaste:v\d`, container.Image, component)
		require.Empty(t, container.Command, "%s: the image has an entry point", component)
		require.False(t, container.Resources.Limits.Memory().IsZero(), component)
		require.False(t, container.Resources.Requests.Cpu().IsZero(), component)
	}
}

func TestPodsStopInGoodOrder(t *testing.T) {
	t.Parallel()
	templates := pods(t)
	for _, component := range []string{"api", "worker"} {
		pod := templates[component].Spec
		container := pod.Containers[0]
		before := time.Duration(container.Lifecycle.PreStop.Sleep.Seconds) * time.Second
		grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
		// 15 s for requests and 50 s for POSTs under way, one after the other.
		require.Greater(t, grace, before+65*time.Second, component)
		require.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
		require.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path, "an outage elsewhere restarts nothing")
		require.Equal(t, "/healthz", container.StartupProbe.HTTPGet.Path)
		for _, probe := range []*corev1.Probe{container.ReadinessProbe, container.LivenessProbe, container.StartupProbe} {
			require.Equal(t, container.Ports[0].Name, probe.HTTPGet.Port.String())
		}
	}
}

// TestPodsAreSetUp gives each pod's environment to config as flags, and has it
// judge them.
func TestPodsAreSetUp(t *testing.T) {
	t.Parallel()
	shared := manifests(t)["ConfigMap posthaste"].(*corev1.ConfigMap).Data
	flags := map[string]string{}
	for _, setting := range config.Table() {
		flags[setting.Variable] = setting.Flag
	}
	examples := map[string]string{
		"database-url": "postgres://posthaste@postgresql/posthaste", "encryption-keyset": "a-line", "jwt-secret": "a-secret-of-more-than-32-characters",
	}
	needs := map[string]config.Needs{
		"migrate": {Database: true, Temporal: true},
		"api":     {Database: true, Temporal: true, Keyset: true, Tokens: true},
		"worker":  {Database: true, Temporal: true, Keyset: true},
	}
	for component, template := range pods(t) {
		container := template.Spec.Containers[0]
		require.Equal(t, "posthaste", container.EnvFrom[0].ConfigMapRef.Name)
		given := map[string]string{}
		for name, value := range shared {
			given[name] = value
		}
		for _, variable := range container.Env {
			require.Equal(t, "posthaste", variable.ValueFrom.SecretKeyRef.Name)
			require.Contains(t, examples, variable.ValueFrom.SecretKeyRef.Key)
			given[variable.Name] = examples[variable.ValueFrom.SecretKeyRef.Key]
		}
		var args []string
		for name, value := range given {
			if name == "GOMEMLIMIT" {
				continue
			}
			require.Contains(t, flags, name, "%s is given a variable that is no setting", component)
			args = append(args, flags[name]+"="+value)
		}
		var settings config.Config
		parser, err := kong.New(&settings)
		require.NoError(t, err)
		_, err = parser.Parse(args)
		require.NoError(t, err, component)
		require.Empty(t, settings.Validate(needs[component]), component)
		if component != "migrate" {
			require.Equal(t, ":"+port(container), settings.HTTPAddr)
		}
	}
	require.NotContains(t, environment(pods(t)["worker"]), "POSTHASTE_JWT_SECRET", "a worker needs no way to make tokens")
}

func port(container corev1.Container) string {
	number := intstr.FromInt32(container.Ports[0].ContainerPort)
	return number.String()
}

func environment(template corev1.PodTemplateSpec) []string {
	var names []string
	for _, variable := range template.Spec.Containers[0].Env {
		names = append(names, variable.Name)
	}
	return names
}

func TestGoKnowsTheMemoryLimit(t *testing.T) {
	t.Parallel()
	text := manifests(t)["ConfigMap posthaste"].(*corev1.ConfigMap).Data["GOMEMLIMIT"]
	require.Equal(t, "MiB", text[len(text)-3:])
	soft := resource.MustParse(text[:len(text)-1]) // Go says MiB, Kubernetes Mi
	for component, template := range pods(t) {
		hard := template.Spec.Containers[0].Resources.Limits.Memory()
		part := float64(soft.Value()) / float64(hard.Value())
		require.InDelta(t, 0.8, part, 0.02, component)
	}
}

// TestTracesNeedARuleMore: the policies shut a collector out, so they hold a rule
// to uncomment, on the port where OTLP over HTTP goes.
func TestTracesNeedARuleMore(t *testing.T) {
	t.Parallel()
	text := read(t, "kubernetes/networkpolicy.yaml")
	_, rule, found := strings.Cut(text, "POSTHASTE_OTLP_ENDPOINT")
	require.True(t, found)
	_, rule, found = strings.Cut(rule, "\n    # - to:\n")
	require.True(t, found, "the rule follows")
	rule, _, _ = strings.Cut("    # - to:\n"+rule, "\n---")
	var peers []networkingv1.NetworkPolicyEgressRule
	require.NoError(t, yaml.UnmarshalStrict([]byte(strings.ReplaceAll(rule, "    # ", "")), &peers))
	require.Equal(t, intstr.FromInt32(4318), *peers[0].Ports[0].Port)
	require.Len(t, peers[0].To, 1)
}

// TestWorkersReachNothingPrivate: what the sender refuses to dial, the network
// refuses to carry.
func TestWorkersReachNothingPrivate(t *testing.T) {
	t.Parallel()
	policy := manifests(t)["NetworkPolicy posthaste-worker"].(*networkingv1.NetworkPolicy)
	var open []string
	for _, peer := range policy.Spec.Egress[0].To {
		open = append(open, peer.IPBlock.CIDR)
		if peer.IPBlock.CIDR == "0.0.0.0/0" {
			require.Subset(t, peer.IPBlock.Except, []string{"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"})
		}
	}
	require.Equal(t, []string{"0.0.0.0/0", "::/0"}, open)
	require.Empty(t, manifests(t)["NetworkPolicy posthaste-api"].(*networkingv1.NetworkPolicy).Spec.Egress, "the API does not reach the Internet")
}
