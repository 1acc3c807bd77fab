package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// What an administrator may have set otherwise, for the database, the user or by a pooler of connections.
func TestPostgreSQLMayBeSetUpOtherwise(t *testing.T) {
	for name, settings := range map[string]string{
		"as few do":       "default_transaction_isolation=serializable&standard_conforming_strings=off&timezone=Asia%2FTokyo&bytea_output=escape&search_path=other",
		"behind a pooler": "default_transaction_isolation=repeatable%20read&default_query_exec_mode=exec",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := pgtest.Database(t)
			database := address[strings.LastIndexByte(address, '/')+1:]
			pgtest.Shared(t).Exec(t, database, "DROP SCHEMA IF EXISTS other CASCADE", "CREATE SCHEMA other")
			address += "?" + settings
			var all sync.WaitGroup
			for writer := range 4 {
				s := opened(t, address, store.Options{Create: true})
				all.Go(func() {
					for n := range int64(20) {
						_, err := s.AddArrivals(t.Context(), []store.Arrival{arrival("r!\\_", n), arrival("r!\\_", n+1)})
						if err != nil {
							t.Error(err)
						}
						if err := s.AddBatch(t.Context(), numbered(fmt.Sprint(writer), n+1)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			s := opened(t, address, store.Options{})
			found, err := s.Reports(t.Context(), store.ReportFilter{Text: "R!\\_.1"})
			if err != nil || len(found) != 11 {
				t.Errorf("%d reports of 11, %v", len(found), err)
			}
			days, err := s.ReportDays(t.Context(), store.Question{})
			if err != nil || len(days) != 1 || days[0].Messages != 21*3 {
				t.Errorf("%+v, %v; want %d messages", days, err, 21*3)
			}
		})
	}
}
