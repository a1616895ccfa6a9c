import WorkflowModel

/// The store's operations on keys, idempotency, the audit log, inside one write transaction.
package protocol AccessTransaction: AnyObject {
}

/// Reads of keys, idempotency, the audit log, on a snapshot.
package protocol AccessReader: AnyObject {
}
