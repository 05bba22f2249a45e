package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// presses counts how often a form would be sent: twice pressed, stopped with
// Esc, pressed twice, and twice again when no answer can come any more.
const presses = `(() => {
	let sent = 0;
	addEventListener("submit", event => { if (!event.defaultPrevented) sent++; event.preventDefault(); });
	const form = document.querySelector("main form[method=post]"), counts = [];
	const press = () => { [1, 2].forEach(() => form.requestSubmit()); counts.push(sent); };
	press();
	document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
	press();
	const now = Date.now();
	Date.now = () => now + 29000;
	press();
	Date.now = () => now + 31000;
	press();
	return counts;
})()`

// TestStoppedFormsCanBeSentAgain stops a form on its way: it is sent again by its
// button, without the page being loaded anew, and still no oftener than meant.
func TestStoppedFormsCanBeSentAgain(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	b := openBrowser(t, sys.api)
	b.open("/sign-in")
	b.signIn(sys.token)
	b.at("/")
	b.open("/events/new")
	require.Equal(t, []int{1, 2, 2, 3}, ask[[]int](b, presses))
	b.silent()
}
