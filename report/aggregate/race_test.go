//go:build race

package aggregate

const raced = true
