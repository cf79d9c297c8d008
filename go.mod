module walletscreen

go 1.26
