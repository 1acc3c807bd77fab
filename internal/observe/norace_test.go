//go:build !race

package observe

const raced = false
