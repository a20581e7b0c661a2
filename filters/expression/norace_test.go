//go:build !race

package expression

const racing = false
