package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// grpcurl knows nothing of walletscreen but what reflection tells it: any client
// can be made from the server alone.
func TestGrpcurl(t *testing.T) {
	tool := []string{"tool", "-modfile=../../.ci/tools.mod", "grpcurl"}
	if out, err := exec.Command("go", append(tool, "-version")...).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("grpcurl does not build: %v\n%s", err, out)
		}
		t.Skipf("NOT RUN with grpcurl, which does not build here: %v\n%s", err, out)
	}
	s := serve(t)
	call := func(body, method string) map[string]any {
		t.Helper()
		out, err := exec.Command("go", append(tool, "-plaintext", "-d", body, s.addr, method)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", method, err, out)
		}
		var answer map[string]any
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%s: %v\n%s", method, err, out)
		}
		return answer
	}
	answer := call(`{"addresses": ["0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", "0x000000000000000000000000000000000000dEaD"]}`,
		"walletscreen.v1.ScreeningService/ScreenAddresses")
	want := []struct{ verdict, uid string }{{"VERDICT_LISTED", "27307"}, {"VERDICT_LISTED", "22985"}, {"VERDICT_NOT_LISTED", ""}}
	results, _ := answer["results"].([]any)
	if len(results) != len(want) {
		t.Fatalf("%d results, want %d: %v", len(results), len(want), answer)
	}
	for i, w := range want {
		result := results[i].(map[string]any)
		uid := ""
		if matches, ok := result["matches"].([]any); ok {
			uid, _ = matches[0].(map[string]any)["listing"].(map[string]any)["partyUid"].(string)
		}
		if result["verdict"] != w.verdict || uid != w.uid {
			t.Errorf("result %d: %v of uid %q, want %s of %q", i, result["verdict"], uid, w.verdict, w.uid)
		}
	}
	if snapshot := call(`{}`, "walletscreen.v1.ListService/GetSnapshot"); len(snapshot["lists"].([]any)) != 1 {
		t.Errorf("GetSnapshot: %v", snapshot)
	}
	if health := call(`{"service": "walletscreen.v1.ScreeningService"}`, "grpc.health.v1.Health/Check"); health["status"] != "SERVING" {
		t.Errorf("health: %v", health)
	}
}
