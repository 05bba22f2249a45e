package provider_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/send"
)

// phpServer is PHP's own web server with a script that answers with what its
// $_POST holds: a receiver as ActiveCampaign's documentation has it.
type phpServer struct {
	t       *testing.T
	address string
}

func startPHP(t *testing.T) phpServer {
	t.Helper()
	php := requireTool(t, "php")
	script := filepath.Join(t.TempDir(), "receiver.php")
	require.NoError(t, os.WriteFile(script, []byte(`<?php echo json_encode($_POST, JSON_THROW_ON_ERROR);`), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	command := exec.CommandContext(t.Context(), php, "-S", address, script) // killed when the test ends
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() }) // killed: the error says no more
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		return err == nil && connection.Close() == nil
	}, 10*time.Second, 20*time.Millisecond)
	return phpServer{t, "http://" + address}
}

// post sends the request as it is and returns the script's $_POST.
func (s phpServer) post(r send.Request) map[string]any {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.address, bytes.NewReader(r.Body))
	require.NoError(s.t, err)
	request.Header = toHeader(r)
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	var received map[string]any
	require.NoError(s.t, json.Unmarshal(text, &received), "%s", text)
	return received
}

// TestACT02_PHPReadsEveryForm: PHP reads back what the producer enqueued, for
// each of the 27 tabled types and the three others that are forms.
func TestACT02_PHPReadsEveryForm(t *testing.T) {
	t.Parallel()
	server, ac := startPHP(t), on(t, "activecampaign")
	emails := 0
	for _, name := range formTypes(t) {
		e := ac.sample(name, "")
		received := server.post(ac.request(e, ac.subscribe(webhook.Subscription{}), goldenTime))
		require.Equal(t, name, received["type"])
		var data map[string]any
		require.NoError(t, json.Unmarshal(e.Data, &data))
		for member, value := range data {
			requireRead(t, name+" "+member, value, received[member])
		}
		if _, hasContact := data["contact"]; hasContact {
			contact, isArray := received["contact"].(map[string]any)
			require.True(t, isArray, name)
			require.Equal(t, "robin@example.com", contact["email"], name)
			require.Equal(t, "customer, newsletter", contact["tags"], name)
			require.Equal(t, map[string]any{"39": "Blue", "40": "Münster & Umgebung"}, contact["fields"], name)
			emails++
		}
	}
	require.Equal(t, 22, emails)
}

// requireRead compares a member of the data with what PHP has under its name.
// Tags are one text on the wire, which the caller looks at.
func requireRead(t *testing.T, place string, want, got any) {
	t.Helper()
	object, isObject := want.(map[string]any)
	if !isObject {
		require.Equal(t, want, got, place)
		return
	}
	read, isArray := got.(map[string]any)
	require.True(t, isArray, place)
	for name, member := range object {
		if name != "tags" {
			requireRead(t, place+" "+name, member, read[name])
		}
	}
}

func TestACT13_PHPReadsListAddAsArray(t *testing.T) {
	t.Parallel()
	server, ac := startPHP(t), on(t, "activecampaign")
	received := server.post(ac.request(ac.sample("list_add", ""), ac.subscribe(webhook.Subscription{}), goldenTime))
	list, isArray := received["list"].(map[string]any)
	require.True(t, isArray)
	require.Len(t, list, 12)
	for name, want := range map[string]string{
		"id": "9", "name": "News & offers", "sender_addr1": "100 Example Street",
		"fulladdress": "100 Example Street, Suite 200, Springfield, IL 62701, United States",
	} {
		require.Equal(t, want, list[name])
	}
}

func TestACT11_PHPReadsListsOfAnUnsubscribe(t *testing.T) {
	t.Parallel()
	server, ac := startPHP(t), on(t, "activecampaign")
	e := ac.sample("unsubscribe", "")
	for source, want := range map[webhook.Source]any{
		webhook.SourcePublic: []any{map[string]any{"id": "3"}, map[string]any{"id": "5"}},
		webhook.SourceAdmin:  "3,5",
	} {
		e.Source = source
		received := server.post(ac.request(e, ac.subscribe(webhook.Subscription{}), goldenTime))
		require.Equal(t, want, received["list"])
		require.Equal(t, map[string]any{"reason": "Too many e-mails :-("}, received["unsubscribe"])
	}
}

func TestACT14_PHPReadsUpdatedFields(t *testing.T) {
	t.Parallel()
	server, ac := startPHP(t), on(t, "activecampaign")
	received := server.post(ac.request(ac.sample("deal_update", ""), ac.subscribe(webhook.Subscription{}), goldenTime))
	require.Equal(t, []any{"title", "stage"}, received["updated_fields"])
	received = server.post(ac.request(ac.sample("account_contact_add", ""), ac.subscribe(webhook.Subscription{}), goldenTime))
	account, isArray := received["account"].(map[string]any)
	require.True(t, isArray)
	require.Equal(t, "IL", account["fields"].(map[string]any)["State/Province"])
}
