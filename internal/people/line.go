package people

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
)

// ErrBusy is said where so many passwords wait to be looked at that another would wait too long.
var ErrBusy = errors.New("too many passwords are being looked at")

// Patience is how long a password waits at the most before ErrBusy is said: longer, nobody sits before a page that does nothing.
const Patience = 5 * time.Second

// placesInLine is how many passwords wait: as many as get their turn while the last of them has patience.
const placesInLine = passwordsPerSecond * int(Patience/time.Second)

// A line is where passwords wait until they are looked at. It has so many places, and who goes away leaves one.
//
// Only who stands in front waits for the limiter. What is reserved with a limiter is not given back once somebody has reserved behind it,
// so that a crowd which came and went would leave the others the time that it would have taken.
type line struct {
	places chan struct{}
	front  chan struct{}
	pace   *rate.Limiter
}

func newLine() *line {
	return &line{make(chan struct{}, placesInLine), make(chan struct{}, 1), rate.NewLimiter(passwordsPerSecond, passwordsAtOnce)}
}

// enter waits for a turn. The place is kept until leave is called, when the password was looked at: where that is slow, fewer wait. It wraps
// ErrBusy.
func (l *line) enter(ctx context.Context) (leave func(), err error) {
	select {
	case l.places <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	leave = func() { <-l.places }
	select {
	case l.front <- struct{}{}:
		err = l.pace.Wait(ctx) // within patience, as there are no more places
		<-l.front
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		leave()
		return nil, tired(ctx)
	}
	return leave, nil
}

// tired is why a wait ended: because who waited went away, or because it takes too long.
func tired(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrBusy
}
