package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

// stageListings writes the hash for people, a thousand accounts at a time, each with
// its end to the life of the hash: one that half was written of must not stay. That
// all of it is there the commit sees.
func (p *Publisher) stageListings(ctx context.Context, s *screen.Snapshot) error {
	key := p.keys.staged(s.Digest())
	fields := make([]any, 0, 2000)
	write := func() error {
		if len(fields) == 0 {
			return nil
		}
		_, err := p.c.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.HSet(ctx, key, fields...)
			pipe.Expire(ctx, key, staging)
			return nil
		})
		fields = fields[:0]
		return err
	}
	err := p.c.Unlink(ctx, key).Err()
	for account, listings := range listingsByKey(s, nil) {
		if err != nil {
			break
		}
		if fields = append(fields, account, encodeShown(listings)); len(fields) == cap(fields) {
			err = write()
		}
	}
	if err == nil {
		err = write()
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}

// largestPatch is how many accounts are changed one by one: the commit does it,
// and nobody else is served meanwhile.
const largestPatch = 1000

// A listingsPatch is what changes in the hash for people.
type listingsPatch struct {
	set  map[string]string
	drop []string
}

// patchListings returns what a commit changes in the hash for people, nil if it is
// written anew, and how many accounts there are then.
func patchListings(c *commit) (*listingsPatch, int) {
	if c.before == nil || c.was.Sequence == 0 {
		return nil, len(listingsByKey(c.next, nil))
	}
	touched := touchedAccounts(c.before, c.next)
	if len(touched.accounts) > largestPatch {
		return nil, len(listingsByKey(c.next, nil))
	}
	patch := &listingsPatch{set: map[string]string{}}
	accounts := c.was.Accounts
	for account, listings := range listingsByKey(c.next, touched.accounts) {
		// What a party lists of which nothing differs it listed before.
		if !touched.accounts[account] && !slices.ContainsFunc(listings, func(l shownListing) bool { return !touched.parties[partyKey{l.List, l.UID}] }) {
			accounts++
		}
		patch.set[account] = encodeShown(listings)
	}
	for account, was := range touched.accounts {
		if _, is := patch.set[account]; was && !is {
			accounts--
			patch.drop = append(patch.drop, account)
		}
	}
	slices.Sort(patch.drop)
	return patch, accounts
}

// A partyKey names a party.
type partyKey struct {
	list screen.ListID
	uid  string
}

// touched is what differs between two snapshots.
type touched struct {
	parties  map[partyKey]bool
	accounts map[string]bool // of these parties: whether one of them had it before
}

// touchedAccounts returns the parties of which anything differs, and their accounts.
func touchedAccounts(before, after *screen.Snapshot) touched {
	touched := touched{map[partyKey]bool{}, map[string]bool{}}
	touch := func(rows []shownListing, were bool) {
		for i := range rows {
			touched.parties[partyKey{rows[i].List, rows[i].UID}] = true
			for _, account := range accountsOf(rows[i].Address) {
				touched.accounts[account] = touched.accounts[account] || were
			}
		}
	}
	a, b := shownParties(before), shownParties(after)
	was, more := a.next()
	is, still := b.next()
	for more || still {
		order := 0
		switch {
		case !more:
			order = 1
		case !still:
			order = -1
		default:
			order = cmp.Or(cmp.Compare(was[0].List, is[0].List), cmp.Compare(was[0].UID, is[0].UID))
		}
		if order != 0 || !slices.EqualFunc(was, is, sameShown) {
			if order <= 0 {
				touch(was, true)
			}
			if order >= 0 {
				touch(is, false)
			}
		}
		if order <= 0 {
			was, more = a.next()
		}
		if order >= 0 {
			is, still = b.next()
		}
	}
	return touched
}

// A partyWalk shows the listings of a snapshot party by party, in their order.
type partyWalk struct {
	s    *screen.Snapshot
	at   int
	rows []shownListing
}

func shownParties(s *screen.Snapshot) *partyWalk { return &partyWalk{s: s} }

// next returns the listings of the next party until it is called again.
func (w *partyWalk) next() ([]shownListing, bool) {
	all := w.s.Listings()
	if w.at == len(all) {
		return nil, false
	}
	w.rows = w.rows[:0]
	for party := all[w.at].Party; w.at < len(all) && all[w.at].Party == party; w.at++ {
		w.rows = append(w.rows, show(w.s, &all[w.at]))
	}
	return w.rows, true
}

// shownListing is a listing as it stands in the hash for people.
type shownListing struct {
	List     screen.ListID `json:"list"`
	Kind     string        `json:"kind"`
	UID      string        `json:"uid"`
	Party    string        `json:"party"`
	Programs []string      `json:"programs,omitempty"`
	Address  string        `json:"address"`
	Symbol   string        `json:"symbol,omitempty"`
	Tag      string        `json:"tag,omitempty"`
	Listed   string        `json:"listed"`
	Delisted string        `json:"delisted,omitempty"`
}

// encodeShown encodes listings of one account as JSON, letting "&" stand as it is.
func encodeShown(listings []shownListing) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(listings) // texts alone, into memory
	return strings.TrimSuffix(b.String(), "\n")
}

func sameShown(a, b shownListing) bool {
	return slices.Equal(a.Programs, b.Programs) && a.List == b.List && a.Kind == b.Kind && a.UID == b.UID && a.Party == b.Party &&
		a.Address == b.Address && a.Symbol == b.Symbol && a.Tag == b.Tag && a.Listed == b.Listed && a.Delisted == b.Delisted
}

// show shows one listing.
func show(s *screen.Snapshot, l *screen.Listing) shownListing {
	facts := s.FactsAt(l, 0)
	from, until := s.Interval(l)
	return shownListing{
		List: s.ListOf(l).ID, Kind: s.KindOf(l).String(), UID: s.PartyOf(l).UID, Party: facts.Name, Programs: facts.Programs,
		Address: l.Text, Symbol: l.Symbol, Tag: l.Tag, Listed: from.String(), Delisted: until.String(),
	}
}

// accountsOf returns the fields that a text stands under.
func accountsOf(text string) []string {
	var parsed address.Parsed
	address.Parse(text, &parsed)
	readings := parsed.Readings()
	if len(readings) == 0 {
		return []string{"text:" + text}
	}
	accounts := make([]string, len(readings))
	for i := range readings {
		accounts[i] = readings[i].Key.String()
	}
	return accounts
}

// listingsByKey groups the listings of a snapshot by canonical key; only those of
// the given accounts, whatever stands there with them, if that is not nil.
func listingsByKey(s *screen.Snapshot, only map[string]bool) map[string][]shownListing {
	byKey := map[string][]shownListing{}
	if only != nil && len(only) == 0 {
		return byKey
	}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		for _, account := range accountsOf(l.Text) {
			if _, ok := only[account]; ok || only == nil {
				byKey[account] = append(byKey[account], show(s, l))
			}
		}
	}
	return byKey
}
