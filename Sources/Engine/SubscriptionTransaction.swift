import WorkflowModel

/// The store's operations on subscriptions to events and the calls they bring, inside one write transaction.
package protocol SubscriptionTransaction: AnyObject {
}

/// Reads of subscriptions to events and the calls they bring, on a snapshot.
package protocol SubscriptionReader: AnyObject {
}
