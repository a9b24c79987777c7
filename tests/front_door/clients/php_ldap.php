<?php
// PHP's ldap extension (libldap) against the directory at a URI: php php_ldap.php URI.
error_reporting(E_ALL & ~E_WARNING);
$base = 'dc=example,dc=com';
$people = "ou=people,$base";
$new = "uid=added,$people";

function step(string $name, $said): void { echo $name, ': ', json_encode($said), "\n"; }

function connected(?string $name = null, ?string $password = null) {
  global $argv;
  $ldap = ldap_connect($argv[1]);
  ldap_set_option($ldap, LDAP_OPT_PROTOCOL_VERSION, 3);
  ldap_set_option($ldap, LDAP_OPT_REFERRALS, 0);
  if ($name !== null) ldap_bind($ldap, $name, $password);
  return $ldap;
}

function found($ldap, $result): array {
  if ($result === false) return [ldap_errno($ldap)];
  $entries = [];
  foreach (ldap_get_entries($ldap, $result) as $key => $entry)
    if (is_int($key)) {
      $values = array_filter($entry, 'is_array');
      ksort($values);
      $entries[$entry['dn']] = $values;
    }
  ksort($entries);
  return [ldap_errno($ldap), $entries];
}

function pages($ldap, int $size): array {
  global $base;
  $sizes = [];
  $cookie = '';
  do {
    $result = ldap_search($ldap, $base, '(uid=user*)', ['uid'], 0, 0, 0, LDAP_DEREF_NEVER,
      [['oid' => LDAP_CONTROL_PAGEDRESULTS, 'value' => ['size' => $size, 'cookie' => $cookie]]]);
    ldap_parse_result($ldap, $result, $code, $dn, $message, $referrals, $controls);
    $sizes[] = ldap_count_entries($ldap, $result);
    $cookie = $controls[LDAP_CONTROL_PAGEDRESULTS]['value']['cookie'] ?? '';
  } while ($cookie !== '');
  return $sizes;
}

$nobody = connected();
step('dse', found($nobody, ldap_read($nobody, '', '(objectClass=*)', ['namingContexts'])));
step('refused', ldap_errno(connected("cn=admin,$base", 'wrong')));
step('refused user', ldap_errno(connected("uid=user1,$people", 'wrong')));
$admin = connected("cn=admin,$base", getenv('DIRECTORY_PASSWORD'));
step('whoami', ldap_exop_whoami($admin));
step('search', found($admin, ldap_search($admin, $base, '(|(uid=user2)(uid=user3))', ['uid', 'cn', 'mail'])));
step('one level', found($admin, ldap_list($admin, $base, '(objectClass=*)', ['ou'])));
step('missing', found($admin, ldap_search($admin, "ou=missing,$base", '(uid=x)')));
step('limited', found($admin, ldap_search($admin, $base, '(uid=user*)', ['uid'], 0, 4)));
step('pages', pages($admin, 3));
$entry = ['objectClass' => 'inetOrgPerson', 'uid' => 'added', 'cn' => 'Jürgen', 'sn' => 'AB'];
step('add', [ldap_add($admin, $new, $entry), ldap_errno($admin)]);
step('add again', [ldap_add($admin, $new, $entry), ldap_errno($admin)]);
step('modify', [ldap_mod_replace($admin, $new, ['cn' => 'Changed', 'mail' => ['a@b', 'c@d']]), ldap_errno($admin)]);
step('modified', found($admin, ldap_read($admin, $new, '(objectClass=*)')));
step('true', ldap_compare($admin, $new, 'cn', 'Changed'));
step('false', ldap_compare($admin, $new, 'cn', 'Other'));
step('rename', [ldap_rename($admin, $new, 'uid=renamed', $people, true), ldap_errno($admin)]);
step('password', [ldap_exop_passwd($admin, "uid=user5,$people", '', 'changed'), ldap_errno($admin)]);
step('new password', ldap_errno(connected("uid=user5,$people", 'changed')));
$user = connected("uid=user1,$people", 'password1');
step('user', ldap_exop_whoami($user));
step('pages of the user', pages($user, 4));
step('write of the user', [ldap_mod_replace($user, "uid=renamed,$people", ['cn' => 'x']), ldap_errno($user)]);
step('rebind', [ldap_bind($user, "uid=user2,$people", 'password2'), ldap_exop_whoami($user)]);
step('delete', [ldap_delete($admin, "uid=renamed,$people"), ldap_errno($admin)]);
step('delete again', [ldap_delete($admin, "uid=renamed,$people"), ldap_errno($admin)]);
ldap_unbind($admin);
ldap_unbind($user);
