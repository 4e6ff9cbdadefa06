// Jest says NODE_ENV=test, for which rtc-node logs every step.
process.env.NODE_ENV = 'production';
