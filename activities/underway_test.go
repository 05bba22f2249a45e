package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADeliveryIsUnderWayOnce(t *testing.T) {
	t.Parallel()
	u := newUnderway()
	a, b := DeliveryRef{DeliveryID: "a"}, DeliveryRef{DeliveryID: "b"}
	free, end := u.begin([]DeliveryRef{a})
	require.Equal(t, []DeliveryRef{a}, free)

	others, endOthers := u.begin([]DeliveryRef{a, b})
	require.Equal(t, []DeliveryRef{b}, others, "the first is under way")
	endOthers()
	again, _ := u.begin([]DeliveryRef{a})
	require.Empty(t, again, "ending what one has not begun changes nothing")

	end()
	again, _ = u.begin([]DeliveryRef{a})
	require.Equal(t, []DeliveryRef{a}, again)
}
