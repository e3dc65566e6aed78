package postgres

// Ids of the catalog. They are the identity of service and plans for every
// platform that ever fetched them (OSB 2.17, B7): never change one.
const (
	ServiceID   = "6b1f7f0e-3f0c-4e0a-9c53-0a3a5d0f6c11"
	PlanSmallID = "0d3b9f52-5f3e-4d0b-8a3d-7d6f3b1c2e21"
	PlanLargeID = "c9a7e1d4-2b6a-4f7e-b1de-5e8c4a9f3d32"
)

// plan is what makes one plan differ from another.
type plan struct {
	id          string
	name        string
	displayName string
	description string
	// connectionLimit is the database's: all bindings of an instance share it.
	connectionLimit int
}

// plans returns the plans in the order in which they are shown.
func plans() []plan {
	return []plan{
		{PlanSmallID, "small", "Small", "A database for at most 10 connections at a time.", 10},
		{PlanLargeID, "large", "Large", "A database for at most 100 connections at a time.", 100},
	}
}

func planByID(id string) (plan, bool) {
	for _, p := range plans() {
		if p.id == id {
			return p, true
		}
	}
	return plan{}, false
}
