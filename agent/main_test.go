package agent_test

import (
	"testing"

	"kecho/channel/channeltest"
)

func TestMain(m *testing.M) {
	channeltest.OneProcessor()
	m.Run()
}
