package lab

import (
	"os"
	"testing"
)

// TestMain lets this test binary be the first process of the clusters that its
// tests start.
func TestMain(m *testing.M) {
	RunIfInit()
	os.Exit(m.Run())
}
