//go:build race

package demo_test

const raced = true // the race detector is on, and everything takes ten times as long
