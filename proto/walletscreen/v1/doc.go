// Package walletscreenv1 is the generated code of the contract. The contract
// itself, with every word of its documentation, is walletscreen.proto.
package walletscreenv1
