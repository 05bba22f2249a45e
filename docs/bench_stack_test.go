package docs

import (
	"cmp"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

const (
	stackScript  = "deploy/bench/stack.sh"
	stackServer  = "deploy/bench/temporal.yaml"
	stackDynamic = "deploy/bench/dynamicconfig.yaml"
)

// datastore is one database of Temporal's configuration.
type datastore struct {
	SQL struct {
		PluginName      string `yaml:"pluginName"`
		DatabaseName    string `yaml:"databaseName"`
		ConnectAddr     string `yaml:"connectAddr"`
		ConnectProtocol string `yaml:"connectProtocol"`
		User            string `yaml:"user"`
		Password        string `yaml:"password"`
		MaxConns        int    `yaml:"maxConns"`
		MaxIdleConns    int    `yaml:"maxIdleConns"`
		MaxConnLifetime string `yaml:"maxConnLifetime"`
	} `yaml:"sql"`
}

// server is what we set of Temporal's configuration. Temporal itself passes over
// a key that it does not know, so a slip would go unnoticed.
type server struct {
	Log struct {
		Stdout bool   `yaml:"stdout"`
		Level  string `yaml:"level"`
	} `yaml:"log"`
	Persistence struct {
		DefaultStore     string               `yaml:"defaultStore"`
		VisibilityStore  string               `yaml:"visibilityStore"`
		NumHistoryShards int                  `yaml:"numHistoryShards"`
		Datastores       map[string]datastore `yaml:"datastores"`
	} `yaml:"persistence"`
	Global struct {
		Membership struct {
			MaxJoinDuration  string `yaml:"maxJoinDuration"`
			BroadcastAddress string `yaml:"broadcastAddress"`
		} `yaml:"membership"`
		PProf struct {
			Host string `yaml:"host"`
			Port int    `yaml:"port"`
		} `yaml:"pprof"`
		Metrics struct {
			Prometheus struct {
				TimerType     string `yaml:"timerType"`
				ListenAddress string `yaml:"listenAddress"`
			} `yaml:"prometheus"`
		} `yaml:"metrics"`
	} `yaml:"global"`
	Services map[string]struct {
		RPC struct {
			GRPCPort        int  `yaml:"grpcPort"`
			MembershipPort  int  `yaml:"membershipPort"`
			BindOnLocalHost bool `yaml:"bindOnLocalHost"`
		} `yaml:"rpc"`
	} `yaml:"services"`
	ClusterMetadata struct {
		EnableGlobalNamespace    bool   `yaml:"enableGlobalNamespace"`
		FailoverVersionIncrement int    `yaml:"failoverVersionIncrement"`
		MasterClusterName        string `yaml:"masterClusterName"`
		CurrentClusterName       string `yaml:"currentClusterName"`
		ClusterInformation       map[string]struct {
			Enabled                bool   `yaml:"enabled"`
			InitialFailoverVersion int    `yaml:"initialFailoverVersion"`
			RPCAddress             string `yaml:"rpcAddress"`
		} `yaml:"clusterInformation"`
	} `yaml:"clusterMetadata"`
	DynamicConfigClient struct {
		Filepath     string `yaml:"filepath"`
		PollInterval string `yaml:"pollInterval"`
	} `yaml:"dynamicConfigClient"`
}

// rendered is the configuration as Temporal renders it. Every variable gets a
// number of its own, which does for a name, too; a variable that the script does
// not set is an error.
func rendered(t *testing.T) server {
	t.Helper()
	text, script, values := read(t, stackServer), read(t, stackScript), map[string]string{}
	require.Contains(t, text[:strings.Index(text, "\n")], "# enable-template", "Temporal reads a file as a template only if a comment says so")
	functions := template.FuncMap{"quote": strconv.Quote, "env": func(name string) string {
		require.Regexp(t, `(?m)^start_server\(\) \{(?s:.*?)\b`+name+`=(?s:.*?)\n\}`, script, "%s does not set %s for the server", stackScript, name)
		if values[name] == "" {
			values[name] = strconv.Itoa(7001 + len(values))
		}
		return values[name]
	}}
	parsed, err := template.New(stackServer).Funcs(functions).Parse(text)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, parsed.Execute(&out, nil))
	var given server
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(out.String()), &given, yaml.Strict()))
	return given
}

// TestBenchStackIsWhatComposeRuns: figures of the one are figures of the other.
func TestBenchStackIsWhatComposeRuns(t *testing.T) {
	t.Parallel()
	project, given := loaded(t), rendered(t)
	temporal := project.Services["temporal"]

	require.Equal(t, 512, given.Persistence.NumHistoryShards)
	require.Equal(t, *temporal.Environment["NUM_HISTORY_SHARDS"], strconv.Itoa(given.Persistence.NumHistoryShards))

	require.Len(t, temporal.Configs, 1)
	want, got := map[string]any{}, map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(project.Configs[temporal.Configs[0].Source].Content), &want))
	require.NoError(t, yaml.Unmarshal([]byte(read(t, stackDynamic)), &got))
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
	require.Equal(t, stackDynamic, given.DynamicConfigClient.Filepath)

	version := regexp.MustCompile(`(?m)^TEMPORAL_VERSION\s*= v([\d.]+)$`).FindStringSubmatch(read(t, "Makefile"))
	require.NotNil(t, version)
	require.Equal(t, "temporalio/server:"+version[1], temporal.Image)
	require.True(t, strings.HasPrefix(project.Services["temporal-schema"].Image, "temporalio/admin-tools:"+version[1]+"-"))
}

func TestBenchStackKeepsBothStoresInPostgreSQL(t *testing.T) {
	t.Parallel()
	given := rendered(t)
	stores := given.Persistence.Datastores
	require.Len(t, stores, 2)
	executions, visibility := stores[given.Persistence.DefaultStore].SQL, stores[given.Persistence.VisibilityStore].SQL
	require.Equal(t, "postgres12_pgx", executions.PluginName)
	require.Equal(t, "postgres12_pgx", visibility.PluginName)
	require.Contains(t, read(t, stackScript), "--plugin postgres12_pgx ", "its tables are made by the same plugin")
	require.NotEqual(t, executions.DatabaseName, visibility.DatabaseName)
}

func TestBenchStackListensOnLoopbackOnPortsOfItsOwn(t *testing.T) {
	t.Parallel()
	given := rendered(t)
	seen := map[int]bool{}
	take := func(port int) {
		require.False(t, seen[port], "two listeners have the port of one variable")
		seen[port] = true
	}
	require.Len(t, given.Services, 4)
	for name, service := range given.Services {
		require.True(t, service.RPC.BindOnLocalHost, name)
		take(service.RPC.GRPCPort)
		take(service.RPC.MembershipPort)
	}
	require.Equal(t, "127.0.0.1", given.Global.PProf.Host)
	take(given.Global.PProf.Port)
	host, port, err := net.SplitHostPort(given.Global.Metrics.Prometheus.ListenAddress)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	take(number)
	cluster := given.ClusterMetadata.ClusterInformation[given.ClusterMetadata.CurrentClusterName]
	require.Equal(t, "127.0.0.1:"+strconv.Itoa(given.Services["frontend"].RPC.GRPCPort), cluster.RPCAddress)

	offsets := map[string]bool{}
	for _, match := range regexp.MustCompile(`_PORT=\$(?:port|\(\(port \+ (\d+)\)\))`).FindAllStringSubmatch(read(t, stackScript), -1) {
		require.False(t, offsets[match[1]], "two variables have the port %q", match[1])
		offsets[match[1]] = true
	}
	require.Len(t, offsets, len(seen))
}

// TestBenchStackSaysWhatToDoNext runs the script with tools that do nothing but
// succeed or fail.
func TestBenchStackSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(root, stackScript))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		do, sqlTool, temporal string
		setting, want         string
	}{
		"a port that is none":     {do: "up", setting: "BENCH_TEMPORAL_PORT=http", want: "BENCH_TEMPORAL_PORT is a port, such as 7333"},
		"an address without port": {do: "up", setting: "BENCH_POSTGRES=localhost", want: "BENCH_POSTGRES is host:port"},
		"no command":              {want: "run: make bench-stack"},
		"another Temporal there":  {do: "up", temporal: "true", want: "BENCH_TEMPORAL_PORT=7433"},
		"no PostgreSQL":           {do: "up", want: "set BENCH_POSTGRES, BENCH_POSTGRES_USER and PGPASSWORD"},
		"the server ends":         {do: "up", sqlTool: "true", want: "the Temporal server ended by itself"},
		"databases in use":        {do: "down", want: "then run make bench-stack-down again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := stack(t.Context(), script, t.TempDir(), test.do, test.sqlTool, test.temporal, test.setting)
			require.Error(t, err)
			require.Contains(t, out, "bench-stack: ")
			require.Contains(t, out, test.want)
		})
	}
}

// TestBenchStackSaysHowToMeasureAllOfIt: with what a figure needs that a server of
// somebody else does not tell.
func TestBenchStackSaysHowToMeasureAllOfIt(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(root, stackScript))
	require.NoError(t, err)
	folder := t.TempDir()
	server := exec.CommandContext(t.Context(), "sleep", "600") // what runs already
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() })
	pid := strconv.Itoa(server.Process.Pid)
	require.NoError(t, os.Mkdir(filepath.Join(folder, ".bench-stack"), 0o700))
	for file, text := range map[string]string{"pid": pid, "settings": "127.0.0.1:5432 postgres 7433"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, ".bench-stack", file), []byte(text+"\n"), 0o600))
	}
	out, err := stack(t.Context(), script, folder, "up", "", "", "TEMPORAL_SERVER=sleep")
	require.NoError(t, err, out)
	_, line, _ := strings.Cut(out, `make bench ARGS="`)
	line, _, closed := strings.Cut(line, `"`)
	require.True(t, closed, out)
	require.Equal(t, []string{
		"--temporal-address", "127.0.0.1:7433", "--temporal-metrics", "http://127.0.0.1:7441/metrics", "--temporal-process", pid,
		"--database-url", "postgres://posthaste_bench:bench@127.0.0.1:5432/posthaste_bench?sslmode=disable",
	}, strings.Fields(strings.ReplaceAll(line, "\\\n", "")))
	require.Contains(t, out, "--profile profiles --temporal-pprof http://127.0.0.1:7442\n")
	flags := commandLine(t).below["bench"].flags
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(out, -1) {
		require.True(t, flags[flag], flag)
	}
}

func TestBenchStackDownTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs(filepath.Join(root, stackScript))
	require.NoError(t, err)
	folder := t.TempDir()
	for range 2 {
		out, err := stack(t.Context(), script, folder, "down", "true", "", "")
		require.NoError(t, err, out)
		left, err := filepath.Glob(filepath.Join(folder, "*"))
		require.NoError(t, err)
		require.Empty(t, left)
		left, err = filepath.Glob(filepath.Join(folder, ".*stack*"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

// stack runs the script in a folder. A tool that is not named fails.
func stack(ctx context.Context, script, folder, do, sqlTool, temporal, setting string) (string, error) {
	command := exec.CommandContext(ctx, "sh", script, do)
	command.Dir = folder
	command.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		"TEMPORAL_SERVER=false", "TEMPORAL_CLI="+cmp.Or(temporal, "false"), "TEMPORAL_SQL_TOOL="+cmp.Or(sqlTool, "false"), setting)
	out, err := command.CombinedOutput()
	return string(out), err
}
