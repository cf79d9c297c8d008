module walletscreen/screen/address/differential

go 1.26.0

replace walletscreen => ../../..

require (
	github.com/btcsuite/btcd/btcutil v1.2.0
	github.com/ebfe/keccak v0.0.0-20150115210727-5cc570678d1b
	github.com/minio/blake2b-simd v0.0.0-20160723061019-3f5f724cb5b1
	github.com/mr-tron/base58 v1.3.0
	github.com/stellar/go-stellar-sdk v0.7.3
	github.com/xssnick/tonutils-go v1.12.0
	pgregory.net/rapid v1.3.0
	walletscreen v0.0.0-00010101000000-000000000000
)

require (
	github.com/pkg/errors v0.9.1 // indirect
	github.com/sigurn/crc16 v0.0.0-20211026045750-20ab5afb07e3 // indirect
	github.com/stellar/go-xdr v0.0.0-20260806060815-dc590f17552a // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
