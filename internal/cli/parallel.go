package cli

import (
	"iter"
	"runtime"
)

// inOrder works on many things at once, and hands the results on in the order in which the things came. No more of them are
// held than the workers need to stay busy.
func inOrder[T, R any](things iter.Seq[T], work func(T) R, use func(R)) {
	type task struct {
		thing  T
		result chan R
	}
	workers := runtime.GOMAXPROCS(0)
	tasks := make(chan task)
	ordered := make(chan chan R, 4*workers)
	for range workers {
		go func() {
			for t := range tasks {
				t.result <- work(t.thing)
			}
		}()
	}
	go func() {
		for thing := range things {
			result := make(chan R, 1)
			ordered <- result
			tasks <- task{thing, result}
		}
		close(tasks)
		close(ordered)
	}()
	for result := range ordered {
		use(<-result)
	}
}
