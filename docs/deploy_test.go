package docs

import (
	"context"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/config"
)

// secrets are what .env has to hold.
func secrets() map[string]string {
	return map[string]string{
		"POSTGRES_PASSWORD":           "a-password",
		"POSTHASTE_JWT_SECRET":        "a-secret-of-more-than-32-characters",
		"POSTHASTE_ENCRYPTION_KEYSET": "a-keyset",
	}
}

// compose loads docker-compose.yml as strictly as Docker does: an unknown key or
// a missing variable is an error.
func compose(ctx context.Context, environment map[string]string) (*types.Project, error) {
	folder, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, "docker-compose.yml")}},
		Environment: environment,
	})
}

func loaded(t *testing.T) *types.Project {
	t.Helper()
	project, err := compose(t.Context(), secrets())
	require.NoError(t, err)
	require.NotEmpty(t, project.Services)
	return project
}

func TestComposeAsksForEverySecret(t *testing.T) {
	t.Parallel()
	for missing := range secrets() {
		environment := secrets()
		delete(environment, missing)
		_, err := compose(t.Context(), environment)
		require.ErrorContains(t, err, missing)
	}
}

// once reports whether a service runs to its end: others wait for that.
func once(project *types.Project, name string) bool {
	for _, other := range project.Services {
		if other.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

func TestComposeServicesAreHealthyRestartedAndPinned(t *testing.T) {
	t.Parallel()
	project := loaded(t)
	for name, service := range project.Services {
		if once(project, name) {
			require.Regexp(t, `^on-failure:\d$`, service.Restart, name)
			require.Nil(t, service.HealthCheck, "%s ends; nobody asks whether it is healthy", name)
		} else {
			require.Equal(t, "unless-stopped", service.Restart, name)
			require.NotNil(t, service.HealthCheck, name)
			require.Equal(t, "CMD", service.HealthCheck.Test[0], name)
			require.NotNil(t, service.HealthCheck.StartPeriod, name)
		}
		require.Regexp(t, `:[^:/]+$`, service.Image, "the image of %s has no tag", name)
		require.NotContains(t, service.Image, ":latest", name)
	}
}

func TestComposeStartsInOrder(t *testing.T) {
	t.Parallel()
	const healthy, completed = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully
	want := map[string]map[string]string{
		"postgresql":         {},
		"temporal-schema":    {"postgresql": healthy},
		"temporal":           {"temporal-schema": completed},
		"temporal-namespace": {"temporal": healthy},
		"temporal-ui":        {"temporal": healthy},
		"posthaste-migrate":  {"postgresql": healthy, "temporal-namespace": completed},
		"posthaste":          {"posthaste-migrate": completed, "postgresql": healthy, "temporal": healthy},
		"worker":             {"posthaste-migrate": completed, "postgresql": healthy, "temporal": healthy},
	}
	got := map[string]map[string]string{}
	for name, service := range loaded(t).Services {
		got[name] = map[string]string{}
		for other, dependency := range service.DependsOn {
			got[name][other] = dependency.Condition
		}
	}
	require.Equal(t, want, got)
}

func TestComposeRunsTheAPIAndTwoWorkers(t *testing.T) {
	t.Parallel()
	services, grammar := loaded(t).Services, commandLine(t)
	worker := services["worker"]
	require.Equal(t, []string{"serve", "--role", "worker"}, []string(worker.Command))
	require.Equal(t, 2, *worker.Deploy.Replicas)
	require.Empty(t, worker.Ports, "two workers cannot share a port")
	require.Equal(t, []string{"serve", "--role", "all"}, []string(services["posthaste"].Command))
	for name, service := range services {
		if service.Build == nil {
			continue
		}
		grammar.accepts(t, service.Command, name)
		if service.HealthCheck != nil {
			require.Equal(t, "/posthaste", service.HealthCheck.Test[1])
			grammar.accepts(t, service.HealthCheck.Test[2:], name)
			// 15 s for requests and 50 s for POSTs under way, one after the other.
			require.Greater(t, time.Duration(*service.StopGracePeriod), 65*time.Second, name)
		}
	}
}

// TestComposeSettingsAreSound gives each of our services its environment as
// flags and has config judge it.
func TestComposeSettingsAreSound(t *testing.T) {
	t.Parallel()
	needs := map[string]config.Needs{
		"posthaste-migrate": {Database: true, Temporal: true},
		"posthaste":         {Database: true, Temporal: true, Keyset: true, Tokens: true},
		"worker":            {Database: true, Temporal: true, Keyset: true},
	}
	services, flags := loaded(t).Services, settings()
	for name, need := range needs {
		var args []string
		for key, value := range services[name].Environment {
			require.Contains(t, flags, key, "%s is given a variable that is no setting", name)
			if value != nil && *value != "" {
				args = append(args, flags[key]+"="+*value)
			}
		}
		var given config.Config
		parser, err := kong.New(&given)
		require.NoError(t, err)
		_, err = parser.Parse(args)
		require.NoError(t, err, name)
		require.Empty(t, given.Validate(need), name)
	}
	require.NotContains(t, services["worker"].Environment, "POSTHASTE_JWT_SECRET", "a worker needs no way to make tokens")
}

// TestComposePassesEverySettingOn: what .env sets must reach the process.
func TestComposePassesEverySettingOn(t *testing.T) {
	t.Parallel()
	const folder = "POSTHASTE_PROVIDERS_DIR" // needs a volume, too
	services := loaded(t).Services
	for _, setting := range config.Table() {
		if setting.Variable != folder {
			require.Contains(t, services["posthaste"].Environment, setting.Variable)
		}
		if setting.Group == "Worker" {
			require.Contains(t, services["worker"].Environment, setting.Variable)
		}
	}
	environment := secrets()
	environment["POSTHASTE_LIMIT_WEBHOOKS"], environment["POSTHASTE_POLLERS"] = "0", "16"
	project, err := compose(t.Context(), environment)
	require.NoError(t, err)
	require.Equal(t, "0", *project.Services["posthaste"].Environment["POSTHASTE_LIMIT_WEBHOOKS"])
	require.Equal(t, "16", *project.Services["worker"].Environment["POSTHASTE_POLLERS"])
}

func TestComposeGivesNothingAway(t *testing.T) {
	t.Parallel()
	project := loaded(t)
	for name, service := range project.Services {
		require.Equal(t, []string{"ALL"}, service.CapDrop, name)
		require.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt, name)
		require.False(t, service.Privileged, name)
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s listens on every interface", name)
		}
		if !slices.Contains([]string{"temporal", "temporal-schema", "temporal-namespace"}, name) {
			require.True(t, service.ReadOnly, name) // Temporal's image writes its own configuration at start
		}
	}
	require.True(t, project.Networks["inside"].Internal)
	for _, name := range []string{"postgresql", "temporal"} {
		require.Equal(t, []string{"inside"}, slices.Collect(maps.Keys(project.Services[name].Networks)), name)
	}
}

// TestComposeUsesOrdinaryRoles: row-level security holds neither the image's own
// role nor any other superuser.
func TestComposeUsesOrdinaryRoles(t *testing.T) {
	t.Parallel()
	project := loaded(t)
	postgresql := project.Services["postgresql"]
	require.NotContains(t, postgresql.Environment, "POSTGRES_USER", "the image makes the role that it names a superuser")
	require.Len(t, postgresql.Configs, 1)
	require.True(t, strings.HasPrefix(postgresql.Configs[0].Target, "/docker-entrypoint-initdb.d/"))
	script := project.Configs[postgresql.Configs[0].Source].Content
	require.NotContains(t, strings.ToUpper(script), "SUPERUSER")
	require.NotContains(t, strings.ToUpper(script), "BYPASSRLS")
	require.Contains(t, script, "CREATE DATABASE posthaste OWNER posthaste;")
	roles := regexp.MustCompile(`CREATE ROLE (\w+) LOGIN`).FindAllStringSubmatch(script, -1)
	require.Len(t, roles, 2)
	for _, name := range []string{"posthaste", "worker", "posthaste-migrate"} {
		target, err := url.Parse(*project.Services[name].Environment["POSTHASTE_DATABASE_URL"])
		require.NoError(t, err)
		require.Equal(t, roles[0][1], target.User.Username(), name)
	}
	require.Equal(t, roles[1][1], *project.Services["temporal"].Environment["POSTGRES_USER"])
	require.Equal(t, roles[1][1], *project.Services["temporal-schema"].Environment["SQL_USER"])
}

func TestComposeKeepsItsData(t *testing.T) {
	t.Parallel()
	project := loaded(t)
	volumes := project.Services["postgresql"].Volumes
	require.Len(t, volumes, 1)
	require.Equal(t, types.VolumeTypeVolume, volumes[0].Type)
	require.Contains(t, project.Volumes, volumes[0].Source)
	require.Equal(t, "512", *project.Services["temporal"].Environment["NUM_HISTORY_SHARDS"], "the number of shards is for good")
}

func TestImageIsStaticAndWithoutRoot(t *testing.T) {
	t.Parallel()
	text := read(t, "Dockerfile")
	stages := strings.Split("\n"+text, "\nFROM ")[1:]
	require.Len(t, stages, 2)
	build, final := stages[0], stages[1]
	require.Contains(t, build, "CGO_ENABLED=0")
	require.Contains(t, build, "-trimpath")
	require.Contains(t, build, "golang:"+goVersion(t)+"-", "go.mod asks for another Go")
	require.Regexp(t, `^gcr\.io/distroless/static-debian12:nonroot\n`, final)
	require.Contains(t, final, "\nUSER nonroot:nonroot\n")
	require.Contains(t, final, "\nENTRYPOINT [\"/posthaste\"]\n")
	require.NotContains(t, final, "\nRUN ", "the base has no shell")
}

// goVersion is the major and minor version that go.mod names.
func goVersion(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	require.NotNil(t, match)
	return match[1]
}

func TestImageHoldsNoSecretsAndAllThatIsEmbedded(t *testing.T) {
	t.Parallel()
	ignored := strings.Split(read(t, ".dockerignore"), "\n")
	for _, name := range []string{".env", ".posthaste", ".git"} {
		require.Contains(t, ignored, name)
	}
	for _, name := range []string{"api", "models", "webhook", "**/*.yaml", "**/*.sql", "*"} {
		require.NotContains(t, ignored, name)
	}
}

// step is one step of a job of a hosted workflow.
type step struct {
	Uses string `yaml:"uses"`
	Run  string `yaml:"run"`
}

func TestCICallsOnlyMakeTargetsAndPinsItsActions(t *testing.T) {
	t.Parallel()
	targets, called := makeTargets(t), map[string][]string{}
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	require.NoError(t, err)
	for _, file := range files {
		var workflow struct {
			Jobs map[string]struct {
				Steps []step `yaml:"steps"`
			} `yaml:"jobs"`
		}
		base := filepath.Base(file)
		require.NoError(t, yaml.Unmarshal([]byte(read(t, ".github/workflows/"+base)), &workflow))
		for name, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if step.Run == "" {
					require.Regexp(t, `^actions/[a-z-]+@[0-9a-f]{40}$`, step.Uses, name)
					continue
				}
				how, made, _ := strings.Cut(step.Run, " ")
				require.Contains(t, []string{"make", ".ci/run"}, how, name)
				require.True(t, targets[made], "%s runs %q", name, step.Run)
				called[base] = append(called[base], step.Run)
			}
		}
		slices.Sort(called[base])
	}
	// What runs tests goes through .ci/run, which installs what they need.
	require.Equal(t, map[string][]string{"ci.yml": {".ci/run race", ".ci/run test", "make check"}, "vuln.yml": {"make vuln"}}, called)
}
