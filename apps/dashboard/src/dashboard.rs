// SPDX-License-Identifier: MIT OR Apache-2.0
//! What viewers see: the sources of this program, the cameras of brokers, and alerts about both.

use std::sync::Arc;

use emotion_publish::secrets::Secrets;

use crate::alerts::Alerts;
use crate::calendar::Calendar;
use crate::configuration::Configuration;
use crate::fleet::{AlertPublisher, Broker, BrokerError, Fleet};
use crate::options::Options;
use crate::sources::registry::{Registry, Settings};

/// The state of this process.
pub struct Dashboard {
    /// The options of this process.
    pub options: Options,
    /// The sources of this process.
    pub sources: Arc<Registry>,
    /// Cameras that publish to brokers.
    pub fleet: Arc<Fleet>,
    /// The alerts about sources and cameras.
    pub alerts: Alerts,
}

impl Dashboard {
    /// A dashboard without sources, and without cameras until they publish.
    ///
    /// # Errors
    /// If a secret of a broker cannot be read.
    pub fn new(options: Options) -> Result<Self, BrokerError> {
        let calendar = Calendar::new();
        let Configuration { broker: secrets, rules, alerts_location, alerts_secret_file, .. } = options.configuration();
        let brokers = options.brokers().map(|location| Broker::new(location, &secrets, !rules.is_empty()));
        let fleet = Fleet::new(brokers.collect::<Result<_, _>>()?, calendar.clone());
        let location = alerts_location.filter(|_| !rules.is_empty());
        let of_alerts = Secrets { password_file: alerts_secret_file.or_else(|| secrets.password_file.clone()), ..secrets.clone() };
        let publisher = location.map(|location| AlertPublisher::new(location, &of_alerts)).transpose()?;
        let settings = Settings {
            data: options.data(),
            record_bytes: options.record_bytes(),
            max_sources: options.max_sources,
            hidden: options.hidden(),
            geometry: options.geometry,
            constant: options.constant(),
        };
        Ok(Self {
            sources: Arc::new(Registry::new(settings, calendar)),
            fleet: Arc::new(fleet),
            alerts: Alerts::new(rules, publisher),
            options,
        })
    }

    /// Evaluates the rules of alerts. Does not return.
    pub async fn watch(&self) {
        self.alerts.run(&self.sources, &self.fleet).await;
    }
}
