//go:build !race

package channeltest

const raceIsOn = false
