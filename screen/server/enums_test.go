package server

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

// enumName writes a name of the domain as the contract does.
func enumName(prefix, name string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// TestEnums holds the numbers and names of the domain to those of the contract,
// and fails when one of them has a value that the other lacks.
func TestEnums(t *testing.T) {
	check := func(prefix string, want map[int32]string, got map[string]int32) {
		t.Helper()
		got[prefix+"UNSPECIFIED"] = 0
		for name, number := range got {
			if want[number] != name {
				t.Errorf("%s is %d in the domain, which the contract calls %q", name, number, want[number])
			}
		}
		for number, name := range want {
			if n, ok := got[name]; !ok || n != number {
				t.Errorf("%s is %d in the contract; the domain has %d, %t", name, number, n, ok)
			}
		}
	}
	check("VERDICT_", pb.Verdict_name, map[string]int32{
		"VERDICT_LISTED":        int32(screen.VerdictListed),
		"VERDICT_ADVISORY":      int32(screen.VerdictAdvisory),
		"VERDICT_RELATED":       int32(screen.VerdictRelated),
		"VERDICT_CANNOT_SCREEN": int32(screen.VerdictCannotScreen),
		"VERDICT_NOT_LISTED":    int32(screen.VerdictNotListed),
	})
	check("BASIS_", pb.Basis_name, map[string]int32{
		"BASIS_EXACT_TEXT":               int32(screen.BasisExactText),
		"BASIS_SAME_ACCOUNT":             int32(screen.BasisSameAccount),
		"BASIS_SAME_ACCOUNT_OTHER_TAG":   int32(screen.BasisSameAccountOtherTag),
		"BASIS_SAME_KEY":                 int32(screen.BasisSameKey),
		"BASIS_SAME_SCRIPT_OTHER_LEDGER": int32(screen.BasisSameScriptOtherLedger),
	})

	reasons := map[string]int32{
		"REASON_STALE":          int32(screen.ReasonStale),
		"REASON_NOT_LOADED":     int32(screen.ReasonNotLoaded),
		"REASON_BEFORE_HISTORY": int32(screen.ReasonBeforeHistory),
	}
	for r := address.ReasonNone + 1; r < address.ReasonCount; r++ {
		name := strings.ReplaceAll(r.String(), "32byte", "32_byte")
		reasons[enumName("REASON_", name)] = int32(r)
	}
	check("REASON_", pb.Reason_name, reasons)

	kinds := map[string]int32{}
	for k := screen.KindDesignation; k <= screen.KindAdvisory; k++ {
		kinds[enumName("LIST_KIND_", k.String())] = int32(k)
	}
	check("LIST_KIND_", pb.ListKind_name, kinds)

	types := map[string]int32{}
	for p := screen.PartyIndividual; p <= screen.PartyAircraft; p++ {
		types[enumName("PARTY_TYPE_", p.String())] = int32(p)
	}
	check("PARTY_TYPE_", pb.PartyType_name, types)

	remarks := map[string]int32{}
	all := screen.WarnNetworkMismatch
	for i := range address.WarningCount {
		w := address.Warnings(1 << i)
		all |= screen.Warnings(w)
		remarks[enumName("WARNING_", w.String())] = int32(warnings(screen.Warnings(w))[0])
	}
	remarks["WARNING_NETWORK_MISMATCH"] = int32(warnings(screen.WarnNetworkMismatch)[0])
	check("WARNING_", pb.Warning_name, remarks)
	if got := warnings(all); len(got) != len(remarks)-1 {
		t.Errorf("all warnings at once are %v", got)
	}
	if got := warnings(0); got != nil {
		t.Errorf("no warnings are %v", got)
	}

	reasonValues := pb.ErrorReason(0).Descriptor().Values()
	for number, name := range pb.ErrorReason_name {
		never := number == 0 || reasonValues.ByNumber(protoreflect.EnumNumber(number)).Options().(*descriptorpb.EnumValueOptions).GetDeprecated()
		if _, ok := failures[pb.ErrorReason(number)]; ok == never {
			t.Errorf("%s has a code: %t", name, ok)
		}
	}
}
