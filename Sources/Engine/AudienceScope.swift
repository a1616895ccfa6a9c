import JSONValue
import WorkflowModel

/// What the filter of a schedule looks at: a contact as an execution about to start would see it.
struct AudienceScope: FilterScope {
    let now: Timestamp
    private let scope: Scope
    private let environment: any MachineEnvironment

    init(_ contact: Contact, of workflow: WorkflowRecord, environment: any MachineEnvironment, now: Timestamp) {
        self.now = now
        self.environment = environment
        // The filter was read with a vocabulary that has no words for the execution.
        let execution = Execution(id: workflow.id, workflowID: workflow.id, contactID: contact.id, startedAt: now)
        scope = Scope(contact: contact, execution: execution, workflowName: workflow.name)
    }

    func value(at path: String) -> JSON? { scope.value(at: path) }

    func lastOccurrence(of event: String) -> Timestamp? {
        environment.lastOccurrence(of: event, contact: scope.contact.id)
    }

    func isMember(ofSegment id: String) -> Bool { environment.isMember(scope.contact.id, ofSegment: id) }
}
