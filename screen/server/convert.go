package server

import (
	"math/bits"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

// The enums of the contract have the numbers of the domain's own (a test holds
// them together), so that most conversions are casts. Those that are not stand
// here.

// warnings gives each bit its value of the enum: bit n of the remarks on the
// text is n+1, of those on the look-up n+16.
func warnings(w screen.Warnings) []pb.Warning {
	if w == 0 {
		return nil
	}
	out := make([]pb.Warning, 0, bits.OnesCount32(uint32(w)))
	for ; w != 0; w &= w - 1 {
		bit := bits.TrailingZeros32(uint32(w))
		if bit < 16 {
			out = append(out, pb.Warning(bit+1))
		} else {
			out = append(out, pb.Warning(bit+16))
		}
	}
	return out
}

// listing describes a listing as it stood on a date, or now for date 0.
func listing(s *screen.Snapshot, l *screen.Listing, on screen.Date) *pb.Listing {
	list, facts := s.ListOf(l), s.FactsAt(l, on)
	from, until := s.Interval(l)
	m := &pb.Listing{
		ListId:      string(list.ID),
		Kind:        pb.ListKind(s.KindOf(l)),
		Authority:   list.Authority,
		PartyName:   facts.Name,
		PartyType:   pb.PartyType(facts.Type),
		PartyUid:    s.PartyOf(l).UID,
		Programs:    facts.Programs,
		Address:     l.Text,
		Symbol:      l.Symbol,
		Tag:         l.Tag,
		Listed:      publicationRef(list.At(l.Listed)),
		Delisted:    publicationRef(list.At(l.Delisted)),
		SourceUrl:   facts.URL,
		SourceIds:   l.SourceIDs,
		Reliability: l.Reliability,
		Comment:     l.Comment,
		ListedOn:    from.String(),
		DelistedOn:  until.String(),
		// A date that the list prints for the row is no first sight of ours.
		ListedBefore: l.ListedBefore(),
	}
	if m.SourceUrl == "" {
		m.SourceUrl = list.URL
	}
	for _, a := range facts.Aliases {
		m.Aliases = append(m.Aliases, &pb.Alias{Name: a.Name, Type: a.Type, Weak: a.Weak})
	}
	for _, e := range facts.Entries {
		m.Entries = append(m.Entries, &pb.EntryEvent{Date: e.On.String(), LegalBasis: e.LegalBasis})
		if m.EntryDate == "" {
			m.EntryDate = e.On.String()
		}
	}
	var parsed address.Parsed
	if address.Parse(l.Text, &parsed); len(parsed.Readings()) > 0 {
		m.Canonical = parsed.Readings()[0].Key.String()
	}
	return m
}

func publicationRef(p *screen.PublicationRecord) *pb.PublicationRef {
	if p == nil {
		return nil
	}
	return &pb.PublicationRef{PublishedOn: p.PublishedOn.String(), Sha256: p.Digest.String()}
}

func heldPublication(h *screen.Held) *pb.HeldPublication {
	if h == nil {
		return nil
	}
	return &pb.HeldPublication{
		Since: timestamppb.New(h.Since), PublishedOn: h.PublishedOn.String(), Sha256: h.Digest.String(), Source: h.Source, Why: h.Why,
		Listed: uint64(h.Listed), Delisted: uint64(h.Delisted), Amended: uint64(h.Amended),
	}
}
