package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// A hold is a publication of a list that a guard stopped.
type hold struct {
	*screen.Held
	list   screen.ListID
	first  bool // no publication of the list is served
	notice *pb.Notice
}

// holds returns what is held beside a state, in order of the lists' ids.
func holds(state *State) []hold {
	var all []hold
	for _, id := range slices.Sorted(maps.Keys(state.Verified)) {
		held := state.Verified[id].Held
		if held == nil {
			continue
		}
		h := hold{Held: held, list: id, first: state.Snapshot.List(id) == nil}
		message := "list %s: its publisher offers another publication%s that is held since %s: what it changes is not served"
		if h.first {
			message = "list %s: its first publication%s is held since %s: nothing of the list is served"
		}
		of := ""
		if held.PublishedOn != 0 {
			of = fmt.Sprintf(" (of %s)", held.PublishedOn)
		}
		h.notice = &pb.Notice{
			Code: pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD, ListId: string(id),
			Message: fmt.Sprintf(message, id, of, held.Since.UTC().Format(time.RFC3339)),
		}
		all = append(all, h)
	}
	return all
}

// reportHolds tells operators what is newly held, and what is held no longer. old
// is nil at the first state.
func (s *Server) reportHolds(old, next *served) {
	var before map[screen.ListID]screen.Verification
	if old != nil {
		before = old.Verified
	}
	for _, h := range next.holds {
		if was := before[h.list].Held; was != nil && was.Digest == h.Digest {
			continue
		}
		s.cfg.Log.Error("a publication is held and not served", "list", h.list, "published", h.PublishedOn.String(), "sha256", h.Digest.String(),
			"since", h.Since, "why", h.Why, "listed", h.Listed, "delisted", h.Delisted, "amended", h.Amended, "source", h.Source)
	}
	if old == nil {
		return
	}
	for _, h := range old.holds {
		if next.Verified[h.list].Held == nil {
			s.cfg.Log.Info("no publication is held any more", "list", h.list)
		}
	}
}

// heldLists names the lists of which a publication is held as an attribute of the
// log, if there are any.
func (sv *served) heldLists() []any {
	if len(sv.holds) == 0 {
		return nil
	}
	ids := make([]string, len(sv.holds))
	for i, h := range sv.holds {
		ids[i] = string(h.list)
	}
	return []any{"held", strings.Join(ids, " ")}
}

// whileHeld says, after what is wrong with a list, that a publication of it is
// held; that is the likely cause.
func (sv *served) whileHeld(id screen.ListID) string {
	if h := sv.Verified[id].Held; h != nil {
		return fmt.Sprintf(", and a publication of it is held since %s", h.Since.UTC().Format(time.RFC3339))
	}
	return ""
}
