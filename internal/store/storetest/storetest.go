// Package storetest holds an engine to what store.Store promises.
package storetest

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Place is where a store is. Each call opens it once more, as another process would.
type Place func(t *testing.T) store.Store

// long are the tests that take the longest, for what an engine does: they say nothing of what only passes on to one.
var long = []string{
	"FiguresAreThoseOfARecountWhateverHappens", "TheFirstSourcesAreTheFirst", "ALargeReportReadAgainIsExact",
	"OfADomainNotMoreTextsAreKeptThanItsBound", "CasesEndWithAllTheyTellOfPersons", "PruneDeletesPartsSoThatNobodyWaits",
	"RedactedFailureReportsTellOfNobody",
}

// byMany are the tests in which several do something at the same time.
var byMany = []string{
	"BatchIsWrittenWholeOrNotAtAll", "ManyWritersAtOnceLoseNothing", "ReadingGoesOnWhileABatchIsWritten", "AFloodByManyWritersStaysWithinTheBound",
	"ALeaseThatManyWantGoesToOne", "ManyWritersCountEachReportOnce", "OfManyWhoClaimALetterOneGetsIt", "ManyNodesTogetherKeepToTheLimits",
	"OfThoseWhoRemoveEachOtherOneIsLeft", "OfManyWhoTakeALinkOneGetsIt", "AfterCloseEverythingIsAnError", "TheContextThatEndedStopsAnEndlessReport",
}

// Run runs every test with a store of its own, empty at first, that is opened with the options that the test names.
func Run(t *testing.T, empty func(t *testing.T, o store.Options) Place) {
	run(t, empty, func(string) bool { return true })
}

// RunSQLite runs every test too, but beside the race detector only those that can show it something: what SQLite does takes twenty times as
// long there.
func RunSQLite(t *testing.T, empty func(t *testing.T, o store.Options) Place) {
	run(t, empty, func(name string) bool { return !raced.On || slices.Contains(byMany, name) })
}

// RunPassedOn runs what can differ where an engine is passed on to.
func RunPassedOn(t *testing.T, empty func(t *testing.T, o store.Options) Place) {
	run(t, empty, func(name string) bool {
		return !slices.Contains(long, name) && (!raced.On || slices.Contains(byMany, name))
	})
}

// floods are the tests of a store that keeps few observations.
var floods = map[string]func(*testing.T, Place){
	"AFloodOfNamesStaysWithinTheBoundAndCountsExactly": floodBounded,
	"AFloodInOneBatchStaysWithinTheBound":              floodBatch,
	"AFloodByManyWritersStaysWithinTheBound":           floodWriters,
	"AFloodGivesUpWhatItMakesUpAndNoMore":              floodHelo,
	"WhatWasKnownBeforeAFloodIsCountedAsItWas":         floodKnown,
	"AFloodDoesNotReachAnotherDay":                     floodDay,
	"ADayThatWasDeletedHasRoomAgain":                   floodPruned,
}

// promises are all others.
var promises = map[string]func(*testing.T, Place){
	"BatchCountsOnceHoweverOftenItComes":           batchOnce,
	"BatchIsWrittenWholeOrNotAtAll":                batchWhole,
	"SourcesDoNotMindEachOther":                    sourcesApart,
	"DecisionComesBackAsItWent":                    decisionWhole,
	"DecisionIsCutToItsBounds":                     decisionBounded,
	"DecisionsAreFiltered":                         decisionFilters,
	"LateDecisionsAreFoundByTheirTime":             decisionsLate,
	"NumbersOfDecisionsGrowForEver":                decisionNumbers,
	"EqualObservationsAreAddedUp":                  observationsAdd,
	"ObservationsAreFiltered":                      observationFilters,
	"PruneKeepsTheLastDecisions":                   pruneRing,
	"PruneDeletesOldDecisions":                     pruneAge,
	"PruneDeletesOldObservationsAndNotTheirBatch":  pruneObservations,
	"ExceptionsAreAddedExtendedAndRemoved":         exceptionChanges,
	"ExceptionsVersionChangesWithTheExceptions":    exceptionVersion,
	"UsesOfAnExceptionAreCountedWithTheBatch":      exceptionUses,
	"ManyWritersAtOnceLoseNothing":                 writers,
	"ReadingGoesOnWhileABatchIsWritten":            readers,
	"WhatWasWrittenIsThereAfterItWasClosed":        durable,
	"AfterCloseEverythingIsAnError":                closed,
	"OddNamesAreRowsAndNoSQL":                      injection,
	"ABreakInTheMiddleOfObservationsClosesThem":    observationsBreak,
	"OddNamesInObservationsStayApart":              observationsKeepOddNames,
	"ExceptionOfAnIPv6NetworkComesBackAsItWas":     exceptionV6,
	"NumbersOfExceptionsAreNotGivenTwice":          exceptionNumbers,
	"TheContextThatEndedStopsEverythingButNoState": contextEnds,

	"ALeaseHasOneHolderUntilItEnds": leases,
	"ALeaseThatManyWantGoesToOne":   leaseRace,

	"AReportCountsOnceHoweverOftenItComes":         reportOnce,
	"EachPartOfItsIdentityMakesAnotherReport":      reportIdentity,
	"ReportsThatConflictAreKeptCountedAndMarked":   reportConflict,
	"WhatHoldsNoReportIsSetAsideWithTheReason":     reportRefused,
	"WhatArrivedIsFoundByTheBeginningOfItsHash":    reportFound,
	"WhatCameByEachWayIsCounted":                   inputsCounted,
	"ArrivalsAreWrittenWholeOrNotAtAll":            reportAtomic,
	"AReportComesBackAsItWent":                     reportWhole,
	"AReportIsCutToItsBounds":                      reportBounded,
	"AReportCountsOnTheDayInTheMiddleOfItsPeriod":  reportDay,
	"ReportsThatAreNotVerifiedCanBeLeftOut":        reportVerified,
	"ATLSReportIsVerifiedForAllItsDomainsOrNone":   tlsVerified,
	"WhatArrivedComesBackByteForByte":              rawsWhole,
	"ReportsAreFiltered":                           reportsFiltered,
	"OddNamesInReportsAreNoSQL":                    reportsInjection,
	"ManyWritersCountEachReportOnce":               reportWriters,
	"AfterCloseReportsAreAnErrorToo":               reportsClosed,
	"TheContextThatEndedStopsAnEndlessReport":      reportsContext,
	"WhatIsReadAgainIsTakenBackExactly":            rereadTakesBack,
	"WhatMovedToAnotherSourceIsGoneFromTheFirst":   rereadMoves,
	"ARawIsReadAgainByItsHashAlone":                rereadByHash,
	"WhatWasRefusedIsReadWhenItComesAgain":         refusedReadable,
	"BytesThatComeByATrustedWayLaterAreVerified":   trustedLater,
	"AReportThatIsReadUnderAnotherNameCountsOnce":  rereadRenames,
	"AReportThatCameBeforeItsPeriodCountsInIt":     cameBefore,
	"ADocumentOfOddBytesIsKept":                    oddDocument,
	"ReportersAndPoliciesAreRemembered":            reporters,
	"FailureReportsAreKept":                        failuresKept,
	"RedactedFailureReportsTellOfNobody":           failuresRedacted,
	"PruneDeletesRowsRawsAndFailuresEachInItsTime": reportsPruned,
	"SessionsOfTLSReportsAreCounted":               tlsReports,
	"MarksAreSetRemovedAndListed":                  marks,
	"WhatWasFoundOutAboutAnAddressIsKept":          addresses,
	"ALetterIsClaimedOnce":                         letterOnce,
	"ALetterThatWaitsIsClaimedAgain":               letterWaits,
	"OfManyWhoClaimALetterOneGetsIt":               letterRace,
	"AnAlertIsToldOnceWithinItsQuietPeriod":        alertsQuiet,
	"EachTextOfARecordIsKeptWithItsTime":           publishedTexts,

	"ADomainHasOneOpenCase":                    noticeOpenOnce,
	"OnlyWhatWasApprovedIsSentAndOnce":         noticeApproved,
	"OneLetterGoesToADomainInItsQuietTime":     noticeQuiet,
	"ManyNodesTogetherKeepToTheLimits":         noticeLimited,
	"OneAddressGetsOneLetterADay":              noticeRecipient,
	"WhoIsSuppressedIsNotWrittenTo":            noticeSuppressed,
	"WhatComesBackReachesItsOwnCaseOnly":       noticeAnswered,
	"LegitimateIsWhatAuthenticatedAndWasLetIn": noticeLegitimate,
	"CasesAreLookedAtThatWaitLongest":          noticeChecked,

	"APersonComesBackAsItWent":                   personWhole,
	"OnePersonHasAName":                          personTaken,
	"AChangeOfAnOlderPersonIsRefused":            personChanged,
	"SomebodyIsLeftWhoRules":                     personLast,
	"OfThoseWhoRemoveEachOtherOneIsLeft":         personLastRace,
	"WhoIsRemovedIsGoneWithAllThatLetsIn":        personRemoved,
	"ASessionLastsUntilItExpires":                sessions,
	"ALinkIsTakenOnce":                           linkOnce,
	"OfManyWhoTakeALinkOneGetsIt":                linkRace,
	"ATokenIsFoundByItsHashUntilItExpires":       tokens,
	"EventsAreGivenTheLatestFirst":               events,
	"PruneDeletesWhatHasEndedAndEventsOfLongAgo": peoplePruned,
	"OddNamesOfPeopleAreNoSQL":                   peopleOdd,
}

// heavy promises take many rows to break, and show the race detector nothing that others do not.
var heavy = map[string]func(*testing.T, Place){
	"FiguresAreThoseOfARecountWhateverHappens": figuresExact,
	"TheFirstSourcesAreTheFirst":               topExact,
	"ALargeReportReadAgainIsExact":             rereadLarge,
	"OfADomainNotMoreTextsAreKeptThanItsBound": publishedBounded,
	"CasesEndWithAllTheyTellOfPersons":         noticePruned,
	"PruneDeletesPartsSoThatNobodyWaits":       reportsPrunedInParts,
}

func run(t *testing.T, empty func(t *testing.T, o store.Options) Place, runs func(name string) bool) {
	all := maps.Clone(promises)
	if !raced.On {
		maps.Copy(all, heavy)
	}
	for o, tests := range map[store.Options]map[string]func(*testing.T, Place){
		{Create: true}:                      all,
		{Create: true, Observations: bound}: floods,
	} {
		for name, test := range tests {
			if !runs(name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel() // they wait for the disk
				test(t, empty(t, o))
			})
		}
	}
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// decision is the nth of a day, with all that a decision can have.
func decision(n int) store.Decision {
	return store.Decision{
		Time: noon.Add(time.Duration(n) * time.Second), Reference: fmt.Sprintf("ref%d", n), QueueID: "4Bq1", MessageID: "<1@example.com>",
		ClientIP: netip.MustParseAddr("192.0.2.1"), Helo: "MX.example.com", MailFrom: "a@bounces.example.com",
		EnvelopeDomain: "bounces.example.com", Recipients: []string{"b@example.org", "c@example.org"}, MoreRecipients: 3,
		AuthorDomain: "example.com",
		SPF: []store.SPF{{Identity: "mailfrom", Domain: "bounces.example.com", Result: "softfail"},
			{Identity: "helo", Domain: "mx.example.com", Result: "none"}},
		DKIM: []store.Signature{{Result: "pass", SDID: "example.com", Selector: "s2"}, {Result: "fail", SDID: "example.com", Selector: "s1"}},
		ARC:  "none", DMARC: "pass", PolicyDomain: "example.com", Policy: "reject", Disposition: "none", Record: "v=DMARC1; p=reject",
		AlignedDKIM: true, Verdict: "reject", Rule: "spf-softfail", Mode: "monitor", Done: "mark", Exception: 7,
		Reason: "SPF softfail: 192.0.2.1 is not authorised", Watched: []store.Watched{{Rule: "new", Action: "reject"}},
	}
}

func counts(ds ...store.Decision) []store.Count {
	var cs []store.Count
	for i := range ds {
		cs = append(cs, store.Count{Observation: store.Observe(&ds[i]), Count: 1})
	}
	return cs
}

// batch is what a recorder would make of these decisions.
func batch(source string, number int64, ds ...store.Decision) store.Batch {
	return store.Batch{Source: source, Number: number, Decisions: ds, Counts: counts(ds...)}
}

func add(t *testing.T, s store.Store, b store.Batch) {
	t.Helper()
	if err := s.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, s store.Store, f store.DecisionFilter) []store.Decision {
	t.Helper()
	found, err := s.Decisions(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// references is the decisions found, shortly: "ref1 ref2".
func references(ds []store.Decision) string {
	var all []string
	for _, d := range ds {
		all = append(all, d.Reference)
	}
	return strings.Join(all, " ")
}

func observed(t *testing.T, s store.Store, f store.ObservationFilter) []store.Count {
	t.Helper()
	var all []store.Count
	for n, err := range s.Observations(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// total counts messages.
func total(t *testing.T, s store.Store) int64 {
	t.Helper()
	var sum int64
	for _, n := range observed(t, s, store.ObservationFilter{}) {
		sum += n.Count
	}
	return sum
}
