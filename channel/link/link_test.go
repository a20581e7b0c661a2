package link

import (
	"testing"
	"testing/synctest"

	"kecho/channel/channeltest"
)

func TestLinksInMemory(t *testing.T) {
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { synctest.Test(t, test) }, inMemory)
}

func TestLinksOverTCP(t *testing.T) {
	channeltest.TestLinks(t, func(t *testing.T, test func(*testing.T)) { test(t) }, overTCP(nil))
}
