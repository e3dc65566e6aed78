package v1beta1

// Condition types. Ready and Failed are v0.3's; Reconciling and Stalled are
// kstatus': present and True, or absent.
const (
	// ConditionReady is the summary: the object can be used.
	ConditionReady = "Ready"
	// ConditionFailed says that the object's last wish was refused for good; a
	// change of the spec is needed.
	ConditionFailed = "Failed"
	// ConditionOrphanMitigation says that a resource which may have been left
	// at the broker is being removed there.
	ConditionOrphanMitigation = "OrphanMitigation"
	// ConditionAdopted says that what the broker had under a given id was taken
	// over as it is, and how it differs from the spec as far as that is known.
	ConditionAdopted = "Adopted"
	// ConditionMaintenanceAvailable says that the plan is at another maintenance
	// version than the instance.
	ConditionMaintenanceAvailable = "MaintenanceAvailable"
	// ConditionDrifted says that what the broker has is gone, or is not what it
	// accepted.
	ConditionDrifted = "Drifted"
	// ConditionReconciling is True while work is going on.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while somebody must act before work goes on.
	ConditionStalled = "Stalled"
	// ConditionRotationFailed is True while a binding's credentials could not be
	// renewed; those in force go on working.
	ConditionRotationFailed = "RotationFailed"
	// ConditionOldCredentialInUse names the Pods that keep replaced credentials from
	// being revoked, because they have them in their environment.
	ConditionOldCredentialInUse = "OldCredentialInUse" //nolint:gosec // a name
	// ConditionOldCredentialNotRevoked is True while the broker fails to revoke
	// replaced credentials.
	ConditionOldCredentialNotRevoked = "OldCredentialNotRevoked" //nolint:gosec // a name
	// ConditionEntriesSkipped is True while entries of a broker's catalog are at fault
	// and, most of them, left out.
	ConditionEntriesSkipped = "EntriesSkipped"
	// ConditionCircuitOpen is True while a broker is left alone because it does
	// not answer, or asked for it.
	ConditionCircuitOpen = "CircuitOpen"
	// ConditionKeysLeftOut lists credential keys that are not in a binding's
	// env Secret, because they cannot or may not be variables.
	ConditionKeysLeftOut = "KeysLeftOut"
	// ConditionNotSupported names what a broker gave with credentials and nothing
	// is done with: volumes, log drains, routes.
	ConditionNotSupported = "NotSupported"
	// ConditionSecretsAltered says that a binding's Secrets do not hold what they
	// should, although the credentials work, and cannot be mended by themselves.
	ConditionSecretsAltered = "SecretsAltered"
)

// Reasons of brokers.
const (
	ReasonFetchedCatalog       = "FetchedCatalog"
	ReasonErrorFetchingCatalog = "ErrorFetchingCatalog"
	ReasonErrorSyncingCatalog  = "ErrorSyncingCatalog"
	// ReasonErrorGettingAuthCredentials: the auth Secret is missing or lacks a key.
	ReasonErrorGettingAuthCredentials = "ErrorGettingAuthCredentials"
	// ReasonBrokerInUse: a deleted broker still has instances.
	ReasonBrokerInUse = "BrokerInUse"
	// ReasonFaultyEntries is the reason of ConditionEntriesSkipped.
	ReasonFaultyEntries = "FaultyEntries"
	// ReasonBrokerNotResponding: several requests in a row got no answer.
	ReasonBrokerNotResponding = "BrokerNotResponding"
	// ReasonBrokerThrottles: the broker asked to be left alone for a while.
	ReasonBrokerThrottles = "BrokerThrottles"
)

// Reasons of instances and bindings while they wait for something else.
const (
	ReasonReferencesNonexistentServiceClass = "ReferencesNonexistentServiceClass"
	ReasonReferencesNonexistentServicePlan  = "ReferencesNonexistentServicePlan"
	ReasonReferencesNonexistentBroker       = "ReferencesNonexistentBroker"
	ReasonReferencesDeletedServiceClass     = "ReferencesDeletedServiceClass"
	ReasonReferencesDeletedServicePlan      = "ReferencesDeletedServicePlan"
	ReasonReferencesNonexistentInstance     = "ReferencesNonexistentInstance"
	// ReasonAmbiguousServiceClass: several classes carry the given name.
	ReasonAmbiguousServiceClass = "AmbiguousServiceClass"
	// ReasonPlanRequired: no plan was given and the class has several, or none.
	ReasonPlanRequired          = "PlanRequired"
	ReasonErrorInstanceNotReady = "ErrorInstanceNotReady"
	// ReasonErrorWithParameters: parameters or their Secrets cannot be used.
	ReasonErrorWithParameters = "ErrorWithParameters"
)

// Reasons of instances.
const (
	ReasonProvisionRequestInFlight   = "ProvisionRequestInFlight"
	ReasonProvisionedSuccessfully    = "ProvisionedSuccessfully"
	ReasonProvisionCallFailed        = "ProvisionCallFailed"
	ReasonErrorCallingProvision      = "ErrorCallingProvision"
	ReasonDeprovisionRequestInFlight = "DeprovisionRequestInFlight"
	ReasonDeprovisionedSuccessfully  = "DeprovisionedSuccessfully"
	ReasonDeprovisionCallFailed      = "DeprovisionCallFailed"
	ReasonBlockedByBindings          = "DeprovisionBlockedByExistingCredentials"
	// ReasonBrokerReturnedFailure: the broker refused the request as it is.
	ReasonBrokerReturnedFailure      = "ClusterServiceBrokerReturnedFailure"
	ReasonStartingOrphanMitigation   = "StartingInstanceOrphanMitigation"
	ReasonOrphanMitigationSuccessful = "OrphanMitigationSuccessful"
	ReasonOrphanMitigationFailed     = "OrphanMitigationFailed"
	// ReasonIDInUse: another object has the same id at the same broker.
	ReasonIDInUse = "ExternalIDInUse"
	// Provisioning, UpdatingInstance and Deprovisioning: the broker works on it in
	// the background.
	ReasonProvisioning   = "Provisioning"
	ReasonUpdating       = "UpdatingInstance"
	ReasonDeprovisioning = "Deprovisioning"
	// Of updates.
	ReasonUpdateRequestInFlight = "UpdateInstanceRequestInFlight"
	ReasonUpdatedSuccessfully   = "InstanceUpdatedSuccessfully"
	ReasonUpdateCallFailed      = "UpdateInstanceCallFailed"
	ReasonErrorCallingUpdate    = "ErrorCallingUpdateInstance"
	// ReasonPollingTimedOut: work in the background was not finished in time.
	ReasonPollingTimedOut = "ErrorReconciliationRetryTimeout"
	// ReasonPlanNotUpdatable: the spec asks for another plan, and the plan in
	// force cannot be changed.
	ReasonPlanNotUpdatable = "PlanNotUpdatable"
	// ReasonAdopted: what the broker had under a given id was taken over.
	ReasonAdopted = "Adopted"
	// ReasonAdoptedPlanDiffers: so it was, and its plan is not the spec's.
	ReasonAdoptedPlanDiffers = "PlanDiffers"
	// ReasonNotFoundAtBroker: the broker does not have the instance any more.
	ReasonNotFoundAtBroker = "NotFoundAtBroker"
	// ReasonPlanDiffersAtBroker: somebody changed the instance's plan there.
	ReasonPlanDiffersAtBroker = "PlanDiffersAtBroker"
	// ReasonMaintenanceAvailable is the reason of ConditionMaintenanceAvailable.
	ReasonMaintenanceAvailable = "UpgradeOnRequest"
	// ReasonPaused: an annotation holds all work on the object.
	ReasonPaused = "Paused"
	// ReasonSchemaUnusable: the plan's parameter schema cannot be used, so the
	// parameters went to the broker unchecked. An event, no condition.
	ReasonSchemaUnusable = "ParameterSchemaUnusable"
	// ReasonRetained: the object is gone, and what it stood for is still at
	// the broker, because deletionPolicy says Retain.
	ReasonRetained = "Retained"
	// ReasonPurged: the object was let go without its broker being asked.
	ReasonPurged = "Purged"
)

// Reasons of bindings.
const (
	ReasonBindingRequestInFlight = "BindingRequestInFlight"
	ReasonInjectedBindResult     = "InjectedBindResult"
	// Binding and Unbinding: the broker works on it in the background.
	ReasonBinding                      = "Binding"
	ReasonUnbinding                    = "Unbinding"
	ReasonBindCallFailed               = "BindCallFailed"
	ReasonBindingReturnedFailure       = "ServiceBindingReturnedFailure"
	ReasonErrorInjectingBindResult     = "ErrorInjectingBindResult"
	ReasonErrorNonbindableClass        = "ErrorNonbindableServiceClass"
	ReasonUnbindingRequestInFlight     = "UnbindingRequestInFlight"
	ReasonUnbindCallFailed             = "UnbindCallFailed"
	ReasonUnboundSuccessfully          = "UnboundSuccessfully"
	ReasonBindingNeedsOrphanMitigation = "ServiceBindingNeedsOrphanMitigation"
	// ReasonKeysLeftOut is the reason of ConditionKeysLeftOut.
	ReasonKeysLeftOut = "NotFitForEnvironment"
	// ReasonNotSupported is the reason of ConditionNotSupported.
	ReasonNotSupported = "NotOnKubernetes"
	// ReasonSecretEdited: somebody edited a Secret of a binding, and the broker does
	// not give the credentials again.
	ReasonSecretEdited = "SecretEdited"
	// ReasonSourceChanged: a Secret that addKeysFrom names has changed, and the broker
	// does not give the credentials again.
	ReasonSourceChanged = "SourceChanged"
	// ReasonSecretLost: a Secret of a binding is gone, and the broker does not give
	// the credentials again.
	ReasonSecretLost = "SecretLost"
	// ReasonSecretRepaired: a Secret of a binding was made what it should be.
	ReasonSecretRepaired = "SecretRepaired"
	// ReasonOldCredentialInUse is the reason of ConditionOldCredentialInUse.
	ReasonOldCredentialInUse = "InEnvironment"
	// ReasonCredentialsRotated: a binding's Secrets hold new credentials.
	ReasonCredentialsRotated = "CredentialsRotated"
)

// Reasons of events on Pods.
const (
	// ReasonWaitingForBinding: a Pod is held back until credentials are stored.
	ReasonWaitingForBinding = "WaitingForBinding"
	// ReasonCredentialsStored: a Pod's credentials are stored; it may start.
	ReasonCredentialsStored = "CredentialsStored"
	// ReasonCredentialsRenewed: a workload was rolled, since its Pods had old
	// credentials in their environment.
	ReasonCredentialsRenewed = "CredentialsRenewed"
	// ReasonCannotRestart: a Pod has old credentials in its environment, and
	// nothing that can be rolled owns it.
	ReasonCannotRestart = "CannotRestart"
	// ReasonSecretNameChanged: a Pod was injected with Secret names that its
	// binding does not use, so it has to be made anew.
	ReasonSecretNameChanged = "SecretNameChanged"
)
