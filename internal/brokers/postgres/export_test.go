package postgres

// What tests outside the package may see and set.

// SetAfterStep has f called after each step of an operation.
func (b *Broker) SetAfterStep(f func(step string)) { b.afterStep = f }

// DatabaseName, OwnerName and LoginName are how ids become names.
var (
	DatabaseName = databaseName
	OwnerName    = ownerName
	LoginName    = loginName
)
