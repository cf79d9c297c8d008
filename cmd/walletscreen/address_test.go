package main

import (
	"strings"
	"testing"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/address"
)

func TestEverythingHasASentence(t *testing.T) {
	for r := address.ReasonNone + 1; r < address.ReasonCount; r++ {
		if reasonSentences[r] == "" {
			t.Errorf("reason %s has no sentence", r)
		}
	}
	for i, s := range warningSentences {
		if s == "" {
			t.Errorf("warning %s has no sentence", address.Warnings(1<<i))
		}
	}
	for k := address.KindNone + 1; k < address.KindCount; k++ {
		if kindSentences[k.String()] == "" {
			t.Errorf("kind %s has no sentence", k)
		}
	}
}

func TestExplainHidesKeys(t *testing.T) {
	const key = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
	for _, text := range []string{
		key,
		"0x" + key,
		key[1:],
		key + "0",
		"near:mainnet:" + key,
		"foo:" + key,
		strings.Replace(key, "e", "е", 1), // Cyrillic
		"key " + key,
		key[:32] + " " + key[32:],
		strings.Repeat(key, 9),
		"KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
		"bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?label=KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
		"legal winner thank year wave sausage worth useful legal winner thank yellow",
	} {
		e := explain(text)
		var out strings.Builder
		e.write(&out, 0)
		for _, secret := range []string{"5eb00bbd", "eb00bbddcf", "6da5fc1", "KwdMAj", "sausage"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%q is written: %s", secret, out.String())
			}
		}
		if e.Reason == "" {
			t.Errorf("%q reads cleanly", text)
		}
		if got := shown(text, pb.Reason_REASON_MALFORMED); got != notShown {
			t.Errorf("check writes %q", got)
		}
	}
}

func TestShownTexts(t *testing.T) {
	const implicit = "9685af3fe2dc231e5069ccff8ec6950eb961d42ebb9116a8ab9c0d38f9e45249"
	for _, test := range []struct {
		text   string
		reason pb.Reason
	}{
		{implicit, pb.Reason_REASON_UNSPECIFIED}, // published, or asked about on NEAR
		{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", pb.Reason_REASON_CHECKSUM},
		{"0x098b716b8aaf21512996dc57eb0615e2383e2f96", pb.Reason_REASON_STALE},
		{"vitalik.eth", pb.Reason_REASON_NAME_NEEDS_RESOLUTION},
	} {
		if got := shown(test.text, test.reason); got != test.text {
			t.Errorf("%s with reason %s is shown as %s", test.text, test.reason, got)
		}
	}
}
