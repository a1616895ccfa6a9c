import WorkflowModel

extension MachineEnvironment {
    /// What a filter over contacts sees of one.
    func contactScope(_ contact: Contact, now: Timestamp) -> ContactScope {
        ContactScope(
            contact, now: now, lastOccurrence: { lastOccurrence(of: $0, contact: contact.id) },
            isMember: { isMember(contact.id, ofSegment: $0) })
    }
}
