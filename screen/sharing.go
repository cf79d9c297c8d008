package screen

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unsafe"
)

// sharing is what a decoder takes from the snapshot that its caller has: the
// parties of the list that is being read which may come next.
//
// What a block of an encoding says depends on its own bytes, on the kind of its list,
// and on the publications that its ordinals name. Where all of these are as they
// were, so is what it says, and it was found to be canonical before.
type sharing struct {
	list    int // index of the list that is being read, and one; 0 for none
	at, end int // parties of have
}

// begin finds the parties of have on the list that was read last.
func (d *decoder) beginSharing(s *Snapshot) {
	d.shared = sharing{list: len(s.lists)}
	list := &s.lists[len(s.lists)-1]
	i, ok := d.have.listIndex(list.ID)
	if !ok {
		return
	}
	was := &d.have.lists[i]
	n := len(was.Publications)
	if was.Kind != list.Kind || n > len(list.Publications) || !slices.Equal(was.Publications, list.Publications[:n]) {
		return
	}
	parties := d.have.parties
	d.shared.at = sort.Search(len(parties), func(p int) bool { return parties[p].List >= i })
	d.shared.end = sort.Search(len(parties), func(p int) bool { return parties[p].List > i })
}

// share takes over the parties that stand in both encodings alike, from the "party"
// that was just read on. It reports whether there were any.
func (d *decoder) share(s *Snapshot) bool {
	if d.have == nil || len(s.lists) == 0 || len(d.fields) != 2 {
		return false
	}
	if d.shared.list != len(s.lists) {
		d.beginSharing(s)
	}
	uid := d.fields[1]
	if n := len(s.parties); n > 0 && s.parties[n-1].List == len(s.lists)-1 && s.parties[n-1].UID >= uid {
		return false // which is an error
	}
	candidates := d.have.parties[d.shared.at:d.shared.end]
	i, ok := slices.BinarySearchFunc(candidates, uid, func(p Party, uid string) int { return strings.Compare(p.UID, uid) })
	d.shared.at += i
	if !ok {
		return false
	}
	blocks := d.have.blocks[d.shared.at:d.shared.end]
	from := blocks[0].begin
	same := d.commonPrefix(d.have.encoding[from:blocks[len(blocks)-1].end], d.data[d.at:])
	n := sort.Search(len(blocks), func(b int) bool { return blocks[b].end-from > same })
	// The last of these may have more lines here.
	if n > 0 && !beginsBlock(d.data[d.at+blocks[n-1].end-from:]) {
		n--
	}
	if n == 0 {
		return false
	}
	d.takeOver(s, d.shared.at, n)
	d.shared.at += n
	return true
}

// beginsBlock reports whether an encoding goes on with what is about no party that
// came before.
func beginsBlock(data []byte) bool {
	return bytes.HasPrefix(data, []byte("party\t")) || bytes.HasPrefix(data, []byte("list\t")) || bytes.HasPrefix(data, []byte("end\t"))
}

// commonPrefix returns how many bytes a and b begin with alike.
func (d *decoder) commonPrefix(a, b []byte) int {
	const step = 4096
	n, at := min(len(a), len(b)), 0
	for at+step <= n && bytes.Equal(a[at:at+step], b[at:at+step]) {
		d.pace.Step()
		at += step
	}
	for at < n && a[at] == b[at] {
		at++
	}
	return at
}

// takeOver adds n parties of have, from the given one on, which stand word for word
// where the decoder is.
func (d *decoder) takeOver(s *Snapshot, party, n int) {
	blocks := d.have.blocks[party : party+n]
	begin, end := blocks[0].begin, blocks[n-1].end
	// A text that lies in the encoding of have would keep all of that: what is taken
	// over refers to the same place in this one.
	from, to := d.have.encoding[begin:end], d.data[d.at:d.at+end-begin]
	base := uintptr(unsafe.Pointer(unsafe.SliceData(from)))
	text := func(t string) string {
		at := uintptr(unsafe.Pointer(unsafe.StringData(t))) - base // huge for what lies before
		if len(t) == 0 {
			return ""
		}
		if at >= uintptr(len(from)) || len(t) > len(from)-int(at) {
			return t
		}
		return unsafe.String(&to[at], len(t))
	}
	texts := func(was []string) []string {
		is := d.ids.take(len(was))
		for i := range was {
			is[i] = text(was[i])
		}
		return is
	}
	moved := len(s.parties) - party
	for i, p := range d.have.parties[party : party+n] {
		d.pace.Step()
		versions := d.versions.take(len(p.Versions))
		copy(versions, p.Versions)
		for i := range versions {
			v := &versions[i]
			v.Name, v.URL, v.Programs = text(v.Name), text(v.URL), texts(v.Programs)
			aliases, entries := d.aliases.take(len(v.Aliases)), d.entries.take(len(v.Entries))
			for i, a := range v.Aliases {
				aliases[i] = Alias{Name: text(a.Name), Type: text(a.Type), Weak: a.Weak}
			}
			for i, e := range v.Entries {
				entries[i] = EntryEvent{On: e.On, LegalBasis: text(e.LegalBasis)}
			}
			v.Aliases, v.Entries = aliases, entries
		}
		s.parties = append(s.parties, Party{List: len(s.lists) - 1, UID: text(p.UID), Versions: versions})
		d.blocks = append(d.blocks, block{d.at + blocks[i].begin - begin, d.at + blocks[i].end - begin})
	}
	all := d.have.listings
	first := sort.Search(len(all), func(l int) bool { return all[l].Party >= party })
	last := sort.Search(len(all), func(l int) bool { return all[l].Party >= party+n })
	for i := range all[first:last] {
		d.pace.Step()
		s.listings = append(s.listings, all[first+i])
		l := &s.listings[len(s.listings)-1]
		l.Party += moved
		l.Text, l.Symbol, l.Tag = text(l.Text), text(l.Symbol), text(l.Tag)
		l.Reliability, l.Comment, l.SourceIDs = text(l.Reliability), text(l.Comment), texts(l.SourceIDs)
	}
	d.rest = d.at + end - begin
	d.begin = d.rest
}
