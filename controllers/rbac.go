package controllers

// What the controllers may do; the chart's ClusterRole is generated from this.
// Secrets: broker credentials and parameters are read live by name, binding
// Secrets are written; list and watch are for metadata, to notice changes. Of
// workloads one annotation of the template is written; a policy holds it to that.
//
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers;servicebrokers;serviceinstances;servicebindings,verbs=get;list;watch;patch;update
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers/status;servicebrokers/status;serviceinstances/status;servicebindings/status,verbs=patch;update
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers/finalizers;servicebrokers/finalizers;serviceinstances/finalizers;servicebindings/finalizers,verbs=update
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses;serviceclasses;clusterserviceplans;serviceplans,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses/status;serviceclasses/status;clusterserviceplans/status;serviceplans/status,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=get;patch
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch
