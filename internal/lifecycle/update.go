package lifecycle

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// update: what exists goes on working, whatever becomes of the update, unless the
// broker says that it does not (OSB 2.17, P88). Nothing is ever cleaned up.
func (a absorber) update() Outcome {
	e := a.e
	if e == nil {
		return a.updated()
	}
	if e.Lost || e.StatusCode >= 500 {
		// Only after a 4xx the broker must have left everything as it was (P13).
		a.op.UnreadAttempts++
	}
	failed := rejection{reason: a.words().updateFailed(e), unusable: isFalse(e.InstanceUsable), unrepeatable: isFalse(e.UpdateRepeatable)}
	if failed.unrepeatable || final(e) {
		failed.message = updateRefused(e.Error(), e.Hint())
		return a.updateRefused(failed)
	}
	return a.updateLater(failed, a.failure())
}

func (a absorber) updated() Outcome {
	w := a.words()
	return Outcome{
		Accepted: true, Exists: true, MayExist: true, CreatedByUs: a.f.Ours, ExternalID: a.op.ExternalID,
		Ready: metav1.ConditionTrue, Reason: w.updated, Message: w.updatedMessage,
		Event: &Event{Reason: w.updated, Note: w.updatedMessage},
	}
}

// rejection is what a broker says of an update that it will not carry out.
type rejection struct {
	reason, message        string
	unusable, unrepeatable bool
}

// updateRefused rests until what the update depends on changes.
func (a absorber) updateRefused(r rejection) Outcome {
	message := a.stillWorks(r.unusable) + r.message
	a.op.Terminal, a.op.Reason, a.op.Message, a.op.Unrepeatable = true, r.reason, message, r.unrepeatable
	return Outcome{
		Op: a.op, Exists: true, MayExist: true, CreatedByUs: a.f.Ours, Unusable: a.f.Unusable || r.unusable, ExternalID: a.op.ExternalID,
		Ready: usable(a.f.Unusable || r.unusable), Reason: r.reason, Message: message, Failed: true,
		Event: &Event{Warning: true, Reason: r.reason, Note: message},
	}
}

// updateLater sends the update again by itself.
func (a absorber) updateLater(r rejection, message string) Outcome {
	o := a.retry(r.reason, message, true)
	o.Exists, o.CreatedByUs, o.Unusable = true, a.f.Ours, a.f.Unusable || r.unusable
	o.Ready, o.Message = usable(o.Unusable), a.stillWorks(r.unusable)+message
	return o
}

func usable(unusable bool) metav1.ConditionStatus {
	if unusable {
		return metav1.ConditionFalse
	}
	return metav1.ConditionTrue
}

func (a absorber) stillWorks(unusable bool) string {
	if a.f.Unusable || unusable {
		return "The broker says that the instance cannot be used. "
	}
	return "The instance works as before. "
}
